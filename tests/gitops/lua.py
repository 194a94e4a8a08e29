"""Scripts as Argo CD runs them: Lua 5.1 with base, table and a safe `os`, `obj` as a global.

No string, math, io or debug library, not even through a text's methods; `os` comes by `require`
alone and knows `time` and `date`. A script ends after so many instructions (Argo CD: one second).
What it returns becomes JSON as Argo CD's own encoder does it: an empty table is an empty list.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lupa.lua51 as lua  # type: ignore[import-untyped]  # it has no types

Json = dict[str, Any]

_INSTRUCTIONS = 1_000_000
_REMOVED = (
    "string", "math", "io", "os", "debug", "coroutine", "package", "python", "module",
    "collectgarbage", "dofile", "gcinfo", "loadfile", "newproxy",
)  # fmt: skip
_PREPARE = """
local text, removed, limit = ...
local time, date, sethook = os.time, os.date, debug.sethook
debug.setmetatable("", nil)
table.foreach, table.foreachi, table.setn = nil, nil, nil
for _, name in ipairs(removed) do _G[name] = nil end
function require(name)
  if name ~= "os" then error("module " .. name .. " not found", 0) end
  return {time = time, date = date}
end
local script, complaint = loadstring(text, "=script")
if script == nil then error(complaint, 0) end
return function(object, parameters)
  setfenv(script, setmetatable({obj = object, actionParams = parameters}, {__index = _G}))
  sethook(function() error("the script takes too long", 0) end, "", limit)
  local fine, result = pcall(script)
  sethook()
  if not fine then error(result, 0) end
  return result
end
"""


class ScriptError(Exception):
    """The script ended with an error: what Argo CD shows to whoever ran it."""


class Script:
    """One script, to be run on any number of objects; it keeps nothing in between."""

    def __init__(self, text: str) -> None:
        self._lua = lua.LuaRuntime(register_builtins=False, register_eval=False)
        removed = self._lua.table_from(list(_REMOVED))
        try:
            self._run: Callable[[Any, Any], Any] = self._lua.execute(
                _PREPARE, text, removed, _INSTRUCTIONS
            )
        except lua.LuaError as error:
            raise ScriptError(str(error)) from error

    @classmethod
    def of(cls, file: Path) -> "Script":
        return cls(file.read_text())

    def __call__(self, obj: Json, parameters: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401  # JSON
        try:
            result = self._run(self._table(obj), self._table(dict(parameters or {})))
        except lua.LuaError as error:
            raise ScriptError(str(error)) from error
        return _json(result)

    def _table(self, value: object) -> object:
        if isinstance(value, dict):
            return self._lua.table_from({key: self._table(each) for key, each in value.items()})
        if isinstance(value, list | tuple):
            return self._lua.table_from([self._table(each) for each in value])
        return value


def _json(value: object) -> object:
    """As gopher-json encodes: keys from 1 on make a list, and so does no key at all."""
    if lua.lua_type(value) != "table":
        return int(value) if isinstance(value, float) and value.is_integer() else value
    items = dict(value.items())  # type: ignore[attr-defined]  # a table of lupa, which has no types
    if all(isinstance(key, str) for key in items) and items:
        return {key: _json(each) for key, each in items.items()}
    if sorted(items) != list(range(1, len(items) + 1)):
        raise ScriptError("a table with gaps, or with numbers and texts as keys, is no JSON")
    return [_json(items[index]) for index in sorted(items)]


def patched(before: Any, returned: Any) -> Any:  # noqa: ANN401  # JSON
    """What Argo CD makes of a returned object: an empty list where a map was is an empty map."""
    if isinstance(before, dict):
        if returned == []:
            return {}
        return {
            key: patched(before[key], each) if key in before else each
            for key, each in returned.items()
        }
    if isinstance(before, list) and isinstance(returned, list):
        kept = [patched(*pair) for pair in zip(before, returned, strict=False)]
        return kept + returned[len(kept) :]
    return returned
