# Starts a node of the Cluster, and introduces it to the others: its address changes with each start.
#
# ADDRESS: of this pod; HOSTS: the names of all pods; PORT: of all of them.
set -eu
umask 077
export REDISCLI_AUTH="$INTERNAL_PASSWORD"

meet() {
  until valkey-cli -h "$ADDRESS" -p "$PORT" --user node ping 2>/dev/null | grep -q PONG; do
    kill -0 $$ || exit  # the server, which replaces this shell, has ended
    sleep 1
  done
  for host in $HOSTS; do
    other=$(getent hosts "$host" | cut -d ' ' -f 1) || continue
    [ "$other" = "$ADDRESS" ] || valkey-cli -h "$ADDRESS" -p "$PORT" --user node cluster meet "$other" "$PORT" > /dev/null
  done
}

meet &
# Standard input has the users, because command lines are visible to other processes.
exec valkey-server - --bind "$ADDRESS" --port "$PORT" --dir "$DATA" --appendonly yes --appendfsync everysec --save "" \
  --maxmemory 768mb --maxmemory-policy noeviction <<END
cluster-enabled yes
cluster-config-file nodes.conf
cluster-node-timeout ${NODE_TIMEOUT:-5000}
cluster-announce-ip $ADDRESS
# A master that is down makes only its own sessions unavailable.
cluster-require-full-coverage no
min-replicas-to-write 1
repl-diskless-sync-delay 0
masteruser replica
masterauth $INTERNAL_PASSWORD
user default off
user replica on >$INTERNAL_PASSWORD resetchannels +psync +replconf +ping
user node on >$INTERNAL_PASSWORD resetchannels +ping +info +cluster
user parley on >$REDIS_PASSWORD resetchannels ~chat ~chat:* ~_kombu.* &chat:* +@all -@admin -@dangerous +info
END
