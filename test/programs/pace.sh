#!/bin/sh
# `pace.sh MICROS`: the pause of pace.h, for programs that can only call a shell.
[ -e fast ] || sleep "$(printf '%d.%06d' $(($1 / 1000000)) $(($1 % 1000000)))"
