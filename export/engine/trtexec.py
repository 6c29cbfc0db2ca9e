"""Writes a shell script that builds the same engine with trtexec, where only the SDK is installed.

The script asks trtexec for strong typing where that is an option (10.x; 11.x always types strongly).
Then it writes the manifest that the runtime needs, with the version and the GPU of the device.
"""

import json
import shlex
from dataclasses import replace
from pathlib import Path

from drsformer.contract import CONTRACT, shape_text
from drsformer.engine.libraries import LIBRARIES
from drsformer.engine.manifest import BuiltOn, InputShape, Manifest, Profile, RunsOn
from drsformer.errors import EngineError

from .settings import EngineSettings

_SCRIPT = """\
#!/bin/sh
# Builds an engine with trtexec of TensorRT 10.3 to 11.x, and writes its manifest.
# Made by drs-export {version}. Copy this file and the ONNX file to the device, then run it with sh.
set -eu
cd "$(dirname "$0")"
onnx={onnx}
engine={engine}
fail() {{ echo "error: $1" >&2; exit 1; }}

trtexec=${{TRTEXEC:-$(command -v trtexec || echo /usr/src/tensorrt/bin/trtexec)}}
[ -x "$trtexec" ] || fail "no trtexec; set TRTEXEC to where it is"
[ -f "$onnx" ] || fail "$onnx is not beside this script"
[ "$(sha256sum < "$onnx" | cut -c1-64)" = {onnx_sha256} ] ||
  fail "$onnx is not the file that this script was made for"

help=$("$trtexec" --help 2>&1 || true)
typed=
case $help in *--stronglyTyped*) typed=--stronglyTyped ;; esac   # 10.x: off unless asked for
case $help in *--stronglyTyped*|*"TensorRT v11"*) ;; *)
  [ {precision} = fp32 ] || fail "this trtexec does not type strongly; 10.3 or later is needed" ;;
esac

log=$(mktemp)
trap 'rm -f "$log" "$engine.part" "$engine.json.part"' EXIT
"$trtexec" $typed --onnx="$onnx" --saveEngine="$engine.part" --skipInference \\
  {arguments} > "$log" 2>&1 || {{ tail -n 20 "$log" >&2; fail "trtexec failed"; }}
[ -s "$engine.part" ] || {{ tail -n 20 "$log" >&2; fail "trtexec wrote no engine"; }}

# "[TensorRT v100300] [b26]" is 10.3.0.26
said() {{ sed -n "s/.*$1.*/\\1/p" "$log" | head -n 1 | tr -cd 'A-Za-z0-9 ._()-'; }}
digits=$(said '\\[TensorRT v\\([0-9]*\\)\\]')
build=$(said '\\[b\\([0-9]*\\)\\]')
[ -n "$digits" ] || [ -n "${{TENSORRT_VERSION:-}}" ] ||
  fail "trtexec does not say its version; set TENSORRT_VERSION"
version=${{TENSORRT_VERSION:-$((digits / 10000)).$((digits / 100 % 100)).$((digits % 100))${{build:+.$build}}}}
capability=${{COMPUTE_CAPABILITY:-$(said 'Compute Capability: *\\([0-9.]*\\)')}}
gpu=$(said 'Selected Device: *\\(.*\\)')
[ -n "$capability" ] || fail "set COMPUTE_CAPABILITY, such as 8.7 on Orin"
{lowest}
platform=$(uname -s | tr A-Z a-z)-$(uname -m)
sha256=$(sha256sum < "$engine.part" | cut -c1-64)
bytes=$(wc -c < "$engine.part" | tr -d ' ')
sed -e "s|@SHA256@|$sha256|" -e "s|\\"@BYTES@\\"|$bytes|" -e "s|@VERSION@|$version|" \\
    -e "s|@CAPABILITY@|$capability|" -e "s|@LOWEST@|$lowest|" -e "s|@GPU@|$gpu|" \\
    -e "s|@PLATFORM@|$platform|" > "$engine.json.part" <<'MANIFEST'
{manifest}
MANIFEST
mv "$engine.part" "$engine"
mv "$engine.json.part" "$engine.json"
echo "$engine: built by TensorRT $version for compute capability $capability"
"""


def trtexec_script(
    manifest: Manifest, settings: EngineSettings, *, engine: Path, fixed: bool
) -> str:
    """Return the script.

    Args:
        manifest: what is known before the build; the script fills in the rest.
        settings: how to build.
        engine: the engine to make, in the script's folder.
        fixed: whether all sizes of the ONNX file are fixed: trtexec then takes no shapes.

    Raises:
        EngineError: the library is TensorRT-RTX, which has another tool.
    """
    if settings.engine_library is not LIBRARIES["tensorrt"]:
        raise EngineError(
            "--emit-script is for TensorRT's trtexec; TensorRT-RTX engines can be built here, "
            "without the GPU: leave the option out"
        )
    lowest = "lowest=8.0" if settings.hardware == "ampere+" else "lowest=$capability"
    return _SCRIPT.format(
        engine=_quoted(engine.name),
        onnx=_quoted(manifest.onnx_file),
        onnx_sha256=manifest.onnx_sha256,
        precision=manifest.precision,
        version=manifest.drs_export_version,
        arguments=" \\\n  ".join(_arguments(settings, fixed=fixed)),
        lowest=lowest,
        manifest=_with_blanks(manifest, settings),
    )


def _quoted(name: str) -> str:
    """Return the path of a file beside the script as one shell word."""
    if not name.isprintable():
        raise EngineError(f"{name!r} cannot be written into a script; choose another name")
    return shlex.quote(f"./{name}")


def _arguments(settings: EngineSettings, *, fixed: bool) -> list[str]:
    made: list[str] = []
    for number, profile in enumerate(() if fixed else settings.profiles):
        if len(settings.profiles) > 1:
            made.append(f"--profile={number}")
        made += _shapes(profile)
    if settings.workspace_bytes is not None:
        made.append(f"--memPoolSize=workspace:{settings.workspace_bytes}B")
    if settings.level is not None:
        made.append(f"--builderOptimizationLevel={settings.level}")
    if settings.version_compatible:
        made.append("--versionCompatible")
    if settings.hardware != "none":
        levels = {"ampere+": "ampere+", "same-capability": "sameComputeCapability"}
        made.append(f"--hardwareCompatibilityLevel={levels[settings.hardware]}")
    if settings.strip_weights:
        made.append("--stripWeights")
    if settings.refit:
        made.append("--refit")
    return [*made, "--profilingVerbosity=detailed"]


def _shapes(profile: Profile) -> list[str]:
    def written(name: str, shape: InputShape) -> str:
        return f"--{name}Shapes={CONTRACT.input_name}:{shape_text(shape)}"

    return [
        written("min", profile.min), written("opt", profile.opt), written("max", profile.max)
    ]  # fmt: skip


def _with_blanks(manifest: Manifest, settings: EngineSettings) -> str:
    """Return the manifest with placeholders for what only the device knows."""
    blank = replace(
        manifest,
        engine_sha256="@SHA256@",
        version="@VERSION@",
        runs_on=RunsOn(
            ("@LOWEST@",), settings.hardware == "ampere+", settings.version_compatible,
            "@PLATFORM@",
        ),
        built_on=BuiltOn("@GPU@", "@CAPABILITY@", None),
    )  # fmt: skip
    values = json.loads(blank.to_json()) | {"engine_bytes": "@BYTES@"}
    return json.dumps(values, indent=2)
