# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The operating system and Ansible: files, terminals, processes, the installed collection."""
