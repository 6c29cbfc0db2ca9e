"""A shell script that builds the same engine with trtexec, for a device that has only the SDK.

It asks trtexec what it knows: 10.x must be told to type strongly, 11.x always does. Then it writes
the manifest, which the runtime wants, from what the device says.
"""

import json
import shlex
from dataclasses import replace
from pathlib import Path

from drsformer.contract import CONTRACT
from drsformer.errors import EngineError
from drsformer.flavors import FLAVORS
from drsformer.manifest import BuiltOn, Manifest, Profile, RunsOn, Shape

from .settings import EngineSettings

_SCRIPT = """\
#!/bin/sh
# Builds {engine} from {onnx} with trtexec of TensorRT 10.3 to 11.x, and writes {engine}.json.
# Made by drs-export {version}. Copy this file and {onnx} to the device, then: sh {script}
set -eu
cd "$(dirname "$0")"
trtexec=${{TRTEXEC:-$(command -v trtexec || echo /usr/src/tensorrt/bin/trtexec)}}
[ -x "$trtexec" ] || {{ echo "error: no trtexec; set TRTEXEC to where it is" >&2; exit 1; }}
[ "$(sha256sum < {onnx} | cut -c1-64)" = {onnx_sha256} ] || {{
  echo "error: {onnx} is not the file that this script was made for" >&2; exit 1; }}

help=$("$trtexec" --help 2>&1 || true)
typed=
case $help in *--stronglyTyped*) typed=--stronglyTyped ;; esac   # 10.x: off unless asked for
precision={precision}
case $help in *--stronglyTyped*|*"TensorRT v11"*) ;; *)
  [ $precision = fp32 ] || {{
    echo "error: this trtexec does not type strongly; 10.3 or later is needed" >&2; exit 1; }} ;;
esac

log=$(mktemp)
trap 'rm -f "$log" {engine}.part' EXIT
"$trtexec" $typed --onnx={onnx} --saveEngine={engine}.part --skipInference \\
  {arguments} > "$log" 2>&1 || {{ tail -n 20 "$log" >&2; exit 1; }}

# "[TensorRT v100300]" is 10.3.0; the build number behind it comes from the library's own name
digits=$(sed -n 's/.*\\[TensorRT v\\([0-9]*\\)\\].*/\\1/p' "$log" | head -n 1)
build=$(sed -n 's/.*\\[b\\([0-9]*\\)\\].*/\\1/p' "$log" | head -n 1)
version=${{TENSORRT_VERSION:-$((digits / 10000)).$((digits / 100 % 100)).$((digits % 100))${{build:+.$build}}}}
capability=${{COMPUTE_CAPABILITY:-$(sed -n 's/.*Compute Capability: *\\([0-9.]*\\).*/\\1/p' "$log" | head -n 1)}}
gpu=$(sed -n 's/.*Selected Device: *\\(.*\\)/\\1/p' "$log" | head -n 1)
[ -n "$capability" ] || {{ echo "error: set COMPUTE_CAPABILITY, such as 8.7 on Orin" >&2; exit 1; }}
{lowest}
platform=$(uname -s | tr A-Z a-z)-$(uname -m)
sed -e "s|@SHA256@|$(sha256sum < {engine}.part | cut -c1-64)|" -e "s|\\"@BYTES@\\"|$(wc -c < {engine}.part | tr -d ' ')|" \\
    -e "s|@VERSION@|$version|" -e "s|@CAPABILITY@|$capability|" -e "s|@LOWEST@|$lowest|" \\
    -e "s|@GPU@|$gpu|" -e "s|@PLATFORM@|$platform|" > {engine}.json <<'MANIFEST'
{manifest}
MANIFEST
mv {engine}.part {engine}
echo "{engine}: built by TensorRT $version for compute capability $capability"
"""


def trtexec_script(
    manifest: Manifest, settings: EngineSettings, *, script: Path, engine: Path
) -> str:
    """Return the script.

    Args:
        manifest: what is known of the engine before it is built; the rest is filled in there.
        settings: how to build.
        script: what the script will be called.
        engine: the engine it makes, beside itself.

    Raises:
        EngineError: TensorRT-RTX, which has a tool of its own and builds here.
    """
    if settings.flavor is not FLAVORS["tensorrt"]:
        raise EngineError(
            "--emit-script is for TensorRT's trtexec; TensorRT-RTX engines can be built here, "
            "without the GPU: leave the option out"
        )
    lowest = "lowest=8.0" if settings.hardware == "ampere+" else "lowest=$capability"
    return _SCRIPT.format(
        engine=shlex.quote(engine.name),
        onnx=shlex.quote(manifest.onnx_file),
        onnx_sha256=manifest.onnx_sha256,
        precision=manifest.precision,
        version=manifest.drs_export_version,
        script=shlex.quote(script.name),
        arguments=" \\\n  ".join(_arguments(settings)),
        lowest=lowest,
        manifest=_with_blanks(manifest, settings),
    )


def _arguments(settings: EngineSettings) -> list[str]:
    made = []
    for number, profile in enumerate(settings.profiles):
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
    def written(name: str, shape: Shape) -> str:
        return f"--{name}Shapes={CONTRACT.input_name}:{'x'.join(map(str, shape))}"

    return [
        written("min", profile.min), written("opt", profile.opt), written("max", profile.max)
    ]  # fmt: skip


def _with_blanks(manifest: Manifest, settings: EngineSettings) -> str:
    """Return the manifest with names where the device has to fill in what it knows."""
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
