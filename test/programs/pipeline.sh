#!/bin/sh
# Three processes joined by pipes: a compiled one, awk, and a loop of the shell. `pipeline.sh PROGRAMS STEPS MICROS`;
# writes pipeline.out; exit status 5.
"$1/produce" "$2" "$3" | awk '{ total = (total * 31 + $2) % 1000003; print $1, total }' | {
  while read -r step total; do
    last=$step
    check=$(((${check:-1} * 7 + total) % 1000003))
    echo "$step $total $check"
  done >pipeline.out
  [ "$last" = "$(($2 - 1))" ] || exit 99
  exit 5
}
