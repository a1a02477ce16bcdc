#!/bin/sh
# Gives a developer a token, a PIN file and a key-encryption key, and prints the variables that name them:
#   eval "$(softhsm/init.sh)"
# What exists already is used and left as it is. The token lies in DIR (keys/softhsm), which is not in Git.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "${1:-$root/keys/softhsm}"
dir=$(cd "${1:-$root/keys/softhsm}" && pwd)
label=countersign-dev
chmod 0700 "$dir"

module=${COUNTERSIGN_HSM_MODULE:-}
for path in /usr/lib/softhsm/libsofthsm2.so /usr/lib64/softhsm/libsofthsm2.so /usr/local/lib/softhsm/libsofthsm2.so /opt/homebrew/lib/softhsm/libsofthsm2.so; do
  if [ -z "$module" ] && [ -e "$path" ]; then module=$path; fi
done
if [ -z "$module" ] || ! command -v softhsm2-util >/dev/null; then
  echo 'SoftHSM is missing: sudo apt-get install -y softhsm2' >&2
  exit 1
fi

export SOFTHSM2_CONF="$dir/softhsm2.conf"
if [ ! -e "$dir/pin" ]; then
  mkdir -p "$dir/tokens"
  sed "s|@TOKENS@|$dir/tokens|" "$root/softhsm/softhsm2.conf" >"$SOFTHSM2_CONF"
  umask 077
  pin=$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')
  so_pin=$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')
  # On the command line for a moment: the tool knows no other way without a terminal. With a real token, never.
  softhsm2-util --init-token --free --label "$label" --pin "$pin" --so-pin "$so_pin" >/dev/null
  printf '%s\n' "$pin" >"$dir/pin"
fi

export COUNTERSIGN_HSM_MODULE="$module" COUNTERSIGN_HSM_TOKEN_LABEL="$label" COUNTERSIGN_HSM_PIN_FILE="$dir/pin"
if [ ! -e "$dir/made" ]; then
  unset COUNTERSIGN_HSM_PIN AEGIS_HSM_PIN
  npm --prefix "$root" run -s countersign -- hsm init-key >&2
  : >"$dir/made"
fi

for name in SOFTHSM2_CONF COUNTERSIGN_HSM_MODULE COUNTERSIGN_HSM_TOKEN_LABEL COUNTERSIGN_HSM_PIN_FILE; do
  eval "value=\$$name"
  printf "export %s='%s'\n" "$name" "$value"
done
