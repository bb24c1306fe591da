#!/usr/bin/env bash
# Installs Debian's PostgreSQL where the tests would find none. Only its programs are wanted: the tests make clusters of
# their own, so no system cluster is made or started. Where it cannot be installed it says why; those tests are skipped.
set -eu

skipped() {
  echo "tests on PostgreSQL are skipped: none is installed, and $1"
  exit 0
}

[ -z "${DAYBOOK_TEST_POSTGRES_URL:-}" ] || exit 0
if ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null; then exit 0; fi
command -v apt-get >/dev/null || skipped "this machine has no apt-get"

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  sudo -n true 2>/dev/null || skipped "that takes root, or sudo without a password: apt-get install postgresql"
  as_root=(sudo -n)
fi

no_cluster=/etc/postgresql-common/createcluster.d/daybook-tests.conf
"${as_root[@]}" mkdir -p "${no_cluster%/*}"
echo "create_main_cluster = false" | "${as_root[@]}" tee "$no_cluster" >/dev/null
trap '"${as_root[@]}" rm -f "$no_cluster"' EXIT

apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 "$@" </dev/null; }
log=$(mktemp)
if apt update >"$log" 2>&1 && apt install -y --no-install-recommends postgresql >>"$log" 2>&1; then
  echo "installed PostgreSQL for the tests"
  rm -f "$log"
else
  tail -n 5 "$log"
  rm -f "$log"
  skipped "apt-get install postgresql failed"
fi
