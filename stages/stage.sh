#!/bin/sh
# Runs a stage (`sh stages/stage.sh crop`) with the Python that has the project's packages: the
# activated one, else that of .venv here or in a folder above, for DVC runs experiments in a folder
# of their own below .dvc. So `.venv/bin/dvc repro` needs no activated environment.
stage=$1
shift

has_packages() {
  "$1" -c 'from importlib.util import find_spec
import sys
sys.exit(not all(map(find_spec, ("dvclive", "pydantic", "torch"))))' 2>/dev/null
}

if has_packages python; then exec python -m "stages.$stage" "$@"; fi
folder=$PWD
while :; do
  if has_packages "$folder/.venv/bin/python"; then
    exec "$folder/.venv/bin/python" -m "stages.$stage" "$@"
  fi
  [ -n "$folder" ] || break
  folder=${folder%/*}
done
echo "No Python here has AUFusion's packages: run \`make setup\`, or activate the environment that has them." >&2
exit 1
