# SPDX-License-Identifier: GPL-2.0-or-later
"""Our lines in the text of a worker's ``buildbot.tac``. Pure.

The text is parsed, never run, and everything outside our lines stays as it is, byte by byte.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator

from buildbot_balancer.errors import TacError

FILE = 'buildbot.tac'
BEGIN = '# buildbot-balancer: begin'
END = '# buildbot-balancer: end'

# A worker whose host has lost the package must build as a stock one does, and say why. What it
# says before the log is open, Twisted keeps and writes once it is.
_BLOCK = """\
# buildbot-balancer: begin ("buildbot-balancer detach" takes these lines out)
try:
    from buildbot_balancer.reporter import attach
except ImportError as balancer_error:
    from twisted.python import log as balancer_log
    balancer_log.msg(
        f'buildbot-balancer cannot be imported ({balancer_error}): '
        'this worker builds without a reporter'
    )
else:
    attach(NAME)
# buildbot-balancer: end
"""
_ATTACH = frozenset(
    {'buildbot_balancer.reporter.attach', 'buildbot_balancer.reporter.attach.attach'}
)
_LINE = re.compile(r'[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+')  # as Python counts lines
_WORKER = re.compile(r"""\bbuildbot_worker\b|Application\(\s*['"]buildbot-worker['"]""")
_MASTER = re.compile(r"""\bbuildbot\.master\b|Application\(\s*['"]buildmaster['"]""")


def is_worker(text: str) -> bool:
    """Whether it looks like a worker's, damaged or not."""
    return _WORKER.search(text) is not None


def is_master(text: str) -> bool:
    return _MASTER.search(text) is not None and not is_worker(text)


def has_block(text: str) -> bool:
    return any(line.startswith(BEGIN) for line in _lines(text))


def is_attached(text: str) -> bool:
    """By our lines or by a call that the owner wrote. Raises TacError."""
    return has_block(text) or _calls_attach(_parse(text))


def add(text: str) -> str:
    """`text` with our lines; one that calls ``attach`` stays as it is. Raises TacError."""
    if has_block(text):
        return text
    tree = _parse(text)
    if _calls_attach(tree):
        return text
    if is_master(text):
        raise TacError('it is the one of a master, not of a worker')
    name = _worker_name(tree)
    if 'attach' in _bound(tree):
        raise TacError('it uses the name "attach" for something else')
    new = _insert(text, _BLOCK.replace('NAME', name), _line_after_parent(tree, name))
    if len(_parse(new).body) != len(tree.body) + 1 or remove(new) != text:
        raise TacError('its form is not understood')
    return new


def remove(text: str) -> str:
    """`text` without our lines, those that the owner wrote stay. Raises TacError."""
    lines = _lines(text)
    begins = [i for i, line in enumerate(lines) if line.startswith(BEGIN)]
    ends = [i for i, line in enumerate(lines) if line.rstrip() == END]
    if not begins and not ends:
        return text
    if len(begins) != 1 or len(ends) != 1 or begins[0] > ends[0]:
        raise TacError(f'its lines "{BEGIN}" and "{END}" are not one pair')
    before, after = lines[: begins[0]], lines[ends[0] + 1 :]
    if before and lines[ends[0]] == END:  # the file had no line end at its end
        before[-1] = before[-1].rstrip('\r\n')
    return ''.join([*before, *after])


def _lines(text: str) -> list[str]:
    return _LINE.findall(text)


def _insert(text: str, block: str, after_line: int) -> str:
    lines = _lines(text)
    end = '\r\n' if '\r\n' in text else '\n'
    block = block.replace('\n', end)
    before, after = lines[:after_line], lines[after_line:]
    if not before[-1].endswith(('\r', '\n')):
        before.append(end)
        block = block[: -len(end)]
    return ''.join([*before, block, *after])


def _parse(text: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            return ast.parse(text)
    except SyntaxError as e:
        raise TacError(f'line {e.lineno} is no Python ({e.msg})') from e
    except (ValueError, RecursionError, MemoryError) as e:
        raise TacError('it is no Python') from e


def _imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The name that is bound, and what it stands for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, f'{node.module}.{alias.name}'
        elif isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition('.')[0]
                yield alias.asname or first, alias.name if alias.asname else first


def _called(tree: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    known = dict(_imports(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node, _dotted(node.func, known)


def _dotted(node: ast.expr, known: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return known.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f'{_dotted(node.value, known)}.{node.attr}'
    return ''


def _calls_attach(tree: ast.Module) -> bool:
    return any(name in _ATTACH for _, name in _called(tree))


def _bound(tree: ast.Module) -> set[str]:
    names = {name for name, _ in _imports(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
    return names


def _worker_name(tree: ast.Module) -> str:
    calls = [
        call
        for call, name in _called(tree)
        if name.startswith('buildbot_worker.') and name.endswith('.Worker')
    ]
    if not calls:
        raise TacError('it makes no Worker of buildbot_worker.bot')
    if len(calls) > 1:
        raise TacError(
            f'it makes {len(calls)} workers; call attach (of buildbot_balancer.reporter) '
            'on each by hand'
        )
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and statement.value is calls[0]:
            target = statement.targets[0]
            if len(statement.targets) == 1 and isinstance(target, ast.Name):
                return _only_once(tree, target.id)
    raise TacError('its Worker is not assigned to one name at the top level')


def _only_once(tree: ast.Module, name: str) -> str:
    stores = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load)
    ]
    if len(stores) > 1:
        raise TacError(f'the name of its Worker, "{name}", is given to something else too')
    return name


def _line_after_parent(tree: ast.Module, name: str) -> int:
    found = [statement for statement in tree.body if _sets_parent(statement, name)]
    if len(found) != 1:
        raise TacError(f'it has not one line "{name}.setServiceParent(application)" at top level')
    end = found[0].end_lineno or 0
    for statement in tree.body:  # another one may begin on that very line
        if statement.lineno <= end < (statement.end_lineno or 0):
            end = statement.end_lineno or 0
    return end


def _sets_parent(statement: ast.stmt, name: str) -> bool:
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return False
    return _dotted(statement.value.func, {}) == f'{name}.setServiceParent'
