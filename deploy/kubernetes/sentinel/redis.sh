# Starts the Redis of a pod: as a primary if the Sentinels say so, else as its replica.
#
# HOST: the name of this pod; HOSTS: the names of all. PORT and SENTINEL_PORT are the same in all pods.
set -eu
umask 077
primary=$(sh "$SCRIPTS/sentinel.sh" primary)
replicaof=
[ "$primary" = "$HOST" ] || replicaof="replicaof $primary $PORT"

# Standard input has the users, because command lines are visible to other processes.
exec valkey-server - --bind "${BIND:-*}" --port "$PORT" --dir "$DATA" --appendonly yes --appendfsync everysec --save "" \
  --maxmemory 768mb --maxmemory-policy noeviction <<END
replica-announce-ip $HOST
# A primary that has lost its replicas rejects messages: another one may have been promoted.
min-replicas-to-write 1
repl-diskless-sync-delay 0
masteruser replica
masterauth $INTERNAL_PASSWORD
$replicaof
user default off
user replica on >$INTERNAL_PASSWORD resetchannels +psync +replconf +ping
user sentinel on >$INTERNAL_PASSWORD allchannels +multi +exec +slaveof +replicaof +ping +subscribe +publish +info +role +config|rewrite +client|setname +client|kill +script|kill
user parley on >$REDIS_PASSWORD resetchannels ~chat ~chat:* ~_kombu.* &chat:* +@all -@admin -@dangerous +info
END
