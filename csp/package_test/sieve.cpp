// SPDX-License-Identifier: MIT
//
// Prime numbers, as in many an occam course: a chain of processes, each of which keeps the first number that it sees
// and passes on what that does not divide.
#include <csp/csp.hpp>
#include <cstdio>
#include <utility>

csp::step<bool> passes_on(int prime, int number, csp::out<int>& to_next)
{
    if (number % prime == 0) co_return true;
    co_return co_await to_next.output(number);
}

csp::process sieve(csp::in<int> numbers, csp::shared_out<int> to_printer)
{
    const auto prime = co_await numbers.input();
    if (!prime || !co_await to_printer.output(*prime)) co_return;
    csp::chan<int> link;
    csp::out<int> to_next = link.tx();
    csp::forking rest;
    rest.start(sieve(link.rx(), std::move(to_printer)));
    while (const auto number = co_await numbers.input()) {
        if (!co_await passes_on(*prime, *number, to_next)) co_return;
    }
}
csp::process counts(int from, csp::out<int> to_sieve)
{
    for (int n = from; co_await to_sieve.output(n); ++n) {
    }
}
csp::process prints(int below, csp::in<int> primes)
{
    for (auto p = co_await primes.input(); p && *p < below; p = co_await primes.input()) std::printf("%d ", *p);
}
csp::process network()
{
    csp::chan<int> numbers;
    csp::chan<int> primes;
    co_await csp::par(counts(2, numbers.tx()), sieve(numbers.rx(), primes.shared_tx()), prints(50, primes.rx()));
}

int main() { return csp::run(network()) == csp::outcome::finished ? 0 : 1; }
