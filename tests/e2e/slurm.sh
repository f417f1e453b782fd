#!/usr/bin/env bash
# The scripts of `niah slurm` on a Slurm of this machine's own, which lives in a temporary folder: an array of four
# shards, of which one is killed, one is told that its time is up, and all lose their node; what is merged at the end
# is what one run without shards has.
#   bash tests/e2e/slurm.sh --niah build/release/niah
#   bash tests/e2e/slurm.sh --niah build/no-torch/niah --stub
# --stub: tasks run a shell script that writes lines; shows what the batch scripts do, in a build without libtorch.
# Needs root and the packages slurm-wlm and munge. Nothing outside the folder is changed.
set -euo pipefail

readonly root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly shards=4
niah= stub=
while [ $# -gt 0 ]; do
  case $1 in
    --niah) niah=$(realpath -- "$2"); shift 2 ;;
    --stub) stub=1; shift ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
  esac
done

say() { printf 'slurm: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
[ -n "$niah" ] && [ -x "$niah" ] || die "--niah PROGRAM: which one?"
[ "$(id -u)" = 0 ] || die "slurmd has to be started by root"
for program in slurmctld slurmd munged sbatch python3; do
  command -v $program > /dev/null || die "$program is missing: apt-get install --no-install-recommends slurm-wlm munge"
done

readonly work=$(mktemp -d)
readonly out=$work/out
export SLURM_CONF=$work/slurm.conf

# within SECONDS WHAT COMMAND...: until it succeeds.
within() {
  local until=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    [ $SECONDS -lt $until ] || die "waited too long for: $what"
    sleep 0.2
  done
}

# ended PID: whether there is no such process, or a dead one that nobody has fetched.
ended() { [ ! -e "/proc/$1/stat" ] || grep -q '^State:.Z' "/proc/$1/status" 2> /dev/null; }

end_daemon() {
  local pid
  pid=$(cat "$1" 2> /dev/null) || return 0
  kill "$pid" 2> /dev/null || return 0
  within 20 "the end of process $pid" ended "$pid"
}

finish() {
  local code=$?
  trap - EXIT
  if [ $code != 0 ]; then
    tail -n 40 "$work"/*.log "$out"/logs/*.log >&2 2> /dev/null || true
    squeue --all >&2 2> /dev/null || true
  fi
  scancel --user root 2> /dev/null || true # of this Slurm: SLURM_CONF says which
  no_job_runs() { [ -z "$(squeue --noheader --states=running,completing 2> /dev/null)" ]; }
  (within 30 "the end of all jobs" no_job_runs) || true
  for daemon in slurmd slurmctld munge/munged; do (end_daemon "$work/$daemon.pid") || true; done
  if [ $code = 0 ]; then rm -rf "$work"; else say "failed; everything is in $work"; fi
  exit $code
}
trap finish EXIT
trap 'exit 130' INT TERM

# ------------------------------------------------------------------------------- a Slurm of one node
start_slurm() {
  local host ports
  host=$(hostname -s)
  ports=$(python3 -c '
import socket
sockets = [socket.socket() for _ in range(2)]
for one in sockets: one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in sockets))')
  chmod 711 "$work"
  mkdir -m 755 "$work/munge" "$work/state" "$work/spool" "$out"
  (umask 077 && head -c 1024 /dev/urandom > "$work/munge/key")
  munged --force --key-file="$work/munge/key" --socket="$work/munge/socket" --pid-file="$work/munge/munged.pid" \
    --log-file="$work/munge/log" --seed-file="$work/munge/seed"
  cat > "$SLURM_CONF" << END
ClusterName=niah
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=${ports% *}
SlurmdPort=${ports#* }
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# A task that is queued again waits until its credential has run out, which is two minutes elsewhere.
AuthInfo=socket=$work/munge/socket,cred_expire=5
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,bf_interval=1
ReturnToService=0
KillWait=10
MinJobAge=3600
NodeName=$host NodeAddr=127.0.0.1 CPUs=$shards RealMemory=8000
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
  slurmctld -c
  slurmd
  node_is_idle() { [ "$(sinfo --noheader --format %T 2> /dev/null)" = idle ]; }
  within 30 "the node" node_is_idle
}

# ------------------------------------------------------------------------------------- what is asked
write_sweep() {
  cat > "$work/sweep.yaml" << END
name: slurm
haystack: {kind: prose}
tasks: [s2, s3]
lengths: [8K, 16K]
samples: 24
models: [{name: zoo, base: $root/models/zoo/base, sft: $root/models/zoo/cot-sft, variants: [base, sft]}]
tokenizer: $root/models/zoo/tokenizer
runtime: {dtype: fp32, device: cpu}
END
}

# In place of niah: a line for every half second of a shard; what is there is not written again.
write_stub() {
  cat > "$work/stub" << 'END'
#!/usr/bin/env bash
command=$1 shard= out=
while [ $# -gt 0 ]; do
  case $1 in --shard) shard=$2 ;; --out) out=$2 ;; esac
  shift
done
mkdir -p "$out"
if [ "$command" = merge ]; then
  cat "$out"/../shards/*/journal.jsonl > "$out/journal.jsonl"
  exit
fi
trap 'echo saved; exit 130' HUP TERM
first=1 last=80
[ -z "$shard" ] || { first=$((20 * (${shard%/*} - 1) + 1)); last=$((first + 19)); }
for ((i = first; i <= last; ++i)); do
  grep -qsx "{\"i\": $i}" "$out/journal.jsonl" && continue
  [ -z "$shard" ] || { sleep 0.5 & wait $!; }
  echo "{\"i\": $i}" >> "$out/journal.jsonl"
done
END
  chmod +x "$work/stub"
}

# ------------------------------------------------------------------------------------ looking at tasks
lines() { cat "$out/shards/$1/journal.jsonl" 2> /dev/null | wc -l; }
has_lines() { [ "$(lines "$1")" -ge "$2" ]; }
state() { scontrol show job --oneliner "$1" 2> /dev/null | sed -n 's/.*JobState=\([A-Z_]*\).*/\1/p' | sort -u; }
is_in() { [ "$(state "$1")" = "$2" ]; }
says() { grep -qs -- "$2" "$out/logs/${job}_$1.log"; }
# The process that answers a shard.
process_of() { pgrep -f -- "$program run .* --shard $1/$shards " | head -n 1; }

# submit OPTION...: the array as `job`, the merge as `merge`.
submit() {
  local commands merging
  commands=$("$niah" slurm "$work/sweep.yaml" --shards $shards --out "$out" --cpus 1 --mem 1G --time 30 \
    --niah "$program" "$@" 2> "$work/slurm.log")
  eval "$(head -n 1 <<< "$commands")" # job=$(sbatch ...)
  merging=$(eval "$(tail -n 1 <<< "$commands")")
  merge=${merging##* }
}

# same_records A B: of two journals, but for what depends on the time and on what is asked beside it.
same_records() {
  python3 - "$@" << 'END'
import json, sys
def records(path):
    lines = [json.loads(line) for line in open(path, encoding="utf-8")]
    for record in lines:
        for name in ("seconds", "computed_tokens"):
            record.pop(name, None)
    return sorted(json.dumps(record, sort_keys=True) for record in lines)
first, second = (records(path) for path in sys.argv[1:])
print(f"slurm: {len(first)} records without shards, {len(second)} merged", file=sys.stderr)
sys.exit(0 if first and first == second else 1)
END
}

write_sweep
program=$niah
if [ -n "$stub" ]; then write_stub; program=$work/stub; fi
start_slurm
job= merge=

say "the sweep without shards"
timeout 600 "$program" run "$work/sweep.yaml" --out "$work/whole" --quiet > "$work/whole.log" 2>&1

say "an array of $shards shards"
submit
for shard in 1 2 3 4; do within 120 "a record of shard $shard" has_lines "$shard" 1; done

say "shard 1 is killed, shard 2 is told that its time is up"
kill -9 "$(process_of 1)"
scancel --signal=TERM --batch "${job}_2"
within 60 "shard 1 in the queue" says 1 'exit 137; it is queued again'
within 60 "shard 2 in the queue" says 2 'exit 130; it is queued again'

say "the node goes down, and comes back"
before=$(lines 3)
running=$(process_of 3) || die "shard 3 has ended already: there is nothing left to lose its node"
scontrol update "nodename=$(hostname -s)" state=down reason=test
within 60 "the end of shard 3" ended "$running"
is_in "${job}_3" PENDING || die "shard 3 lost its node and is $(state "${job}_3"), not in the queue"
is_in "$merge" PENDING || die "the merge did not wait for the shards"
scontrol update "nodename=$(hostname -s)" state=resume

within 600 "the merge" is_in "$merge" COMPLETED
for shard in 1 2 3 4; do
  is_in "${job}_$shard" COMPLETED || die "shard $shard is $(state "${job}_$shard"), not completed"
done
[ "$(lines 3)" -ge "$before" ] || die "shard 3 lost records"
same_records "$work/whole/journal.jsonl" "$out/merged/journal.jsonl" || die "what was merged is not what one run has"

say "on the node's own disk: a shard that is cancelled stays so, another one goes on"
expected=$(lines 1)
rm -rf "$out/shards" "$out/merged"
mkdir "$work/local"
submit --scratch "$work/local"
works_there() { [ -s "$work/local/niah-${job}_$1/journal.jsonl" ]; }
within 120 "a record of shard 4" works_there 4
scancel "${job}_4"
within 60 "the end of shard 4" is_in "${job}_4" CANCELLED
within 120 "a record of shard 1" works_there 1
scancel --signal=TERM --batch "${job}_1"
within 60 "shard 1 in the queue" says 1 'exit 130; it is queued again'
has_lines 1 1 || die "shard 1 left nothing on the shared disk"
within 120 "the end of shard 1" is_in "${job}_1" COMPLETED
[ "$(lines 1)" = "$expected" ] || die "shard 1 has $(lines 1) records, not $expected"
[ ! -e "$work/local/niah-${job}_1" ] || die "shard 1 left its folder on the node's own disk"
scancel "$merge" "$job"
say "fine"
