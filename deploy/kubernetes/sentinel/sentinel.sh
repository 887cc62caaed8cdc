# Starts the Sentinel of a pod. With the argument `primary`, prints the name of the primary instead:
# what a running Sentinel says, else what the Sentinel of this pod knew last, else the first pod.
set -eu
umask 077
file=$DATA/sentinel.conf

primary() {
  for host in $HOSTS; do
    found=$(timeout 2 valkey-cli -h "$host" -p "$SENTINEL_PORT" sentinel get-master-addr-by-name parley 2>/dev/null | head -n 1) || continue
    case " $HOSTS " in *" ${found:-none} "*) echo "$found"; return ;; esac
  done
  found=$(sed -n 's/^sentinel monitor parley "\{0,1\}\([^ "]*\).*/\1/p' "$file" 2>/dev/null) || found=
  echo "${found:-${HOSTS%% *}}"
}

if [ "${1:-}" = primary ]; then primary; exit; fi

# Sentinel keeps its own id and the other Sentinels in the file.
if [ ! -s "$file" ]; then
  primary=$(primary)
  cat > "$file" <<END
bind ${BIND:-*}
port $SENTINEL_PORT
protected-mode no
dir $DATA
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $HOST
sentinel monitor parley $primary $PORT 2
sentinel auth-user parley sentinel
sentinel auth-pass parley $INTERNAL_PASSWORD
sentinel down-after-milliseconds parley ${DOWN_AFTER:-5000}
sentinel failover-timeout parley 30000
END
fi
exec valkey-server "$file" --sentinel
