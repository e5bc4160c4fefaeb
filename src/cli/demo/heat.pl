#!/usr/bin/perl
# The demo's computation: heat flowing along a rod, with a random kick at every step. It keeps its own memory of some size,
# writes a growing file (opened without append), a file rewritten in place, and its log on standard output.
use strict;
use warnings;
use IO::Handle;

my ($steps, $cells, $seed) = (5000, 9000, 20261121);
my @rod = map { $_ % 97 } 0 .. $cells - 1;
my $memory = join '', map { chr(($_ * 31) % 251) } 0 .. 4095;
$memory x= 6000;    # 24 MiB
open my $trajectory, '>', 'trajectory.txt' or die "trajectory.txt: $!";
open my $state, '+>', 'state.bin' or die "state.bin: $!";
$_->autoflush(1) for $trajectory, $state, \*STDOUT;
for my $step (1 .. $steps) {
    $seed = ($seed * 1103515245 + 12345) % 2147483648;
    $rod[$seed % $cells] += 50;
    my @next = @rod;
    $next[$_] = $rod[$_] + 0.2 * ($rod[$_ - 1] - 2 * $rod[$_] + $rod[$_ + 1]) for 1 .. $cells - 2;
    @rod = @next;
    substr($memory, ($seed * 7) % (length($memory) - 64), 64) = pack 'd8', @rod[0 .. 7];
    my $sum = 0;
    $sum += $_ for @rod;
    printf $trajectory "%d %.17g %.17g\n", $step, $sum, $rod[$seed % $cells];
    seek $state, 0, 0;
    print $state pack 'd*', @rod;
    printf "step %d, heat %.6f\n", $step, $sum if $step % 50 == 0;
}
my $check = unpack '%32C*', $memory;
print $trajectory "memory $check\n";
print "done, memory $check\n";
exit 7;
