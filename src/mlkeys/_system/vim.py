# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Have Vim and Neovim keep nothing of what they edit, however they are started.

Arguments reach only an editor that is started directly. Its environment also passes through `env vim` and wrappers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

# No swap, viminfo, backup and undo files, whatever the user's settings are.
ARGUMENTS = ("-n", "-i", "NONE", "-c", "set nobackup nowritebackup noundofile noswapfile")

_BEFORE = "MLKEYS_VIMINIT"
_NAME = "keep-nothing.vim"
# Vim reads this instead of the user's own file, which it therefore reads first. Plugins and modelines come later, and
# the options are set again then. A Vim without expressions skips what is between "if" and "endif".
_SCRIPT = """set nocompatible
if 1
  if exists('$MLKEYS_VIMINIT')
    execute $MLKEYS_VIMINIT
  else
    let s:config = empty($XDG_CONFIG_HOME) ? $HOME . '/.config' : $XDG_CONFIG_HOME
    let s:places = has('nvim')
      \\ ? [s:config . '/nvim/init.lua', s:config . '/nvim/init.vim']
      \\ : [$HOME . '/.vimrc', $HOME . '/.vim/vimrc', s:config . '/vim/vimrc']
    for s:place in s:places
      if filereadable(s:place)
        let $MYVIMRC = s:place
        execute 'source ' . fnameescape(s:place)
        break
      endif
    endfor
  endif
  function! KeepNothing() abort
    set nobackup nowritebackup noundofile noswapfile updatecount=0 viminfo=
    if has('nvim')
      set shadafile=NONE
    elseif exists('+viminfofile')
      set viminfofile=NONE
    endif
  endfunction
  augroup keep_nothing
    autocmd!
    autocmd BufReadPre,BufReadPost,BufNewFile,BufWritePre,VimEnter,VimLeavePre * call KeepNothing()
  augroup END
  call KeepNothing()
endif
set nobackup nowritebackup noswapfile updatecount=0
"""


def keeping_nothing(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The environment in which Vim and Neovim keep nothing.

    Args:
        folder: a private folder, where the script for it is put, and the log of Neovim.
    """
    script = folder / _NAME
    script.write_text(_SCRIPT, encoding="utf-8")
    own = {name: value for name, value in environ.items() if name != _BEFORE}
    if "VIMINIT" in environ:
        own[_BEFORE] = environ["VIMINIT"]
    place = "".join(f"\\{char}" if char in " \\|%#" else char for char in str(script))
    # EXINIT is what Vim would read if there were nothing else.
    return {**own, "VIMINIT": f"source {place}", "NVIM_LOG_FILE": str(folder / "nvim.log")}
