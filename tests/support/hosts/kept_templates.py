# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs at each start of Python in the environments of tests: keeps the code that Jinja makes of Ansible's templates.

Ansible templates in the process of a task, so that what it has compiled is lost with each task. This is a third of
what a task costs.

Ansible switches off what Jinja works out beforehand. So the code depends on the text, on a few settings, and on whether
each filter and test exists and takes the context: these are compared before kept code is used.
"""

from __future__ import annotations

from typing import Any

kept: Any = __import__("kept")


def _keep(module: Any) -> None:
    import jinja2
    from ansible.release import __version__

    environment: Any = module.AnsibleEnvironment
    compiled, compiled_expression = environment.compile, environment.compile_expression
    versions = f"{__version__} {jinja2.__version__}"
    # The expression that is being compiled: Jinja compiles its tree.
    expressions: list[str] = []

    def key(self: Any, kind: str, source: str) -> bytes:
        context = module._TemplateCompileContext.current(optional=True)
        settings = [getattr(self, name) for name in module._TEMPLATE_OVERRIDE_FIELD_NAMES]
        config = module._TemplateConfig
        settings += [context and context.escape_backslashes, config.allow_embedded_templates, config.jinja_extensions]
        return repr((versions, kind, settings, str(source))).encode("utf-8", "surrogatepass")

    def compile_once(
        self: Any, source: Any, name: Any = None, filename: Any = None, raw: Any = False, defer_init: Any = False
    ) -> Any:
        def now() -> Any:
            return compiled(self, source, name, filename, raw, defer_init)

        if name or filename or raw or defer_init or self._debuggable_template_source or self.optimized:
            return now()
        if isinstance(source, str):
            return _kept(self, key(self, "template", source), now, lambda: self.parse(source))
        return _kept(self, key(self, "expression", expressions[-1]), now, lambda: source) if expressions else now()

    def compile_expression_once(self: Any, source: str, undefined_to_none: bool = True) -> Any:
        if not self._debuggable_template_source and not self.optimized:
            code = _read(self, kept.file_of(key(self, "expression", source), "template"))
            if code is not None:
                template = self.template_class.from_code(self, code, self.make_globals(None), None)
                return jinja2.environment.TemplateExpression(template, undefined_to_none)
        expressions.append(source)
        try:
            return compiled_expression(self, source, undefined_to_none)
        finally:
            expressions.pop()

    environment.compile, environment.compile_expression = compile_once, compile_expression_once


def _kept(environment: Any, key: bytes, make: Any, tree: Any) -> Any:
    file = kept.file_of(key, "template")
    code = _read(environment, file)
    if code is None:
        code = make()
        kept.write(file, (_uses(environment, tree()), code))
    return code


def _read(environment: Any, file: str) -> Any:
    uses, code = kept.read(file) or ((), None)
    return code if all(_takes(environment, kind, name) == takes for kind, name, takes in uses) else None


def _uses(environment: Any, tree: Any) -> list[tuple[str, str, str]]:
    """What the code takes for granted of each filter and test."""
    from jinja2 import nodes

    found = tree.find_all((nodes.Filter, nodes.Test))
    named = {("filters" if isinstance(node, nodes.Filter) else "tests", node.name) for node in found}
    return [(kind, name, _takes(environment, kind, name)) for kind, name in sorted(named)]


def _takes(environment: Any, kind: str, name: str) -> str:
    """Whether there is such a plugin, and what Jinja passes to it."""
    # As the code generator asks.
    function = getattr(environment, kind).get(name)
    return "missing" if function is None else str(getattr(function, "jinja_pass_arg", None))


kept.after_import("ansible._internal._templating._jinja_bits", _keep)
