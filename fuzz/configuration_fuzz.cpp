// SPDX-License-Identifier: MIT
// Checks that every invalid configuration gets an error message, and that requests find their way through every valid
// one.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "http/target.hpp"
#include "server/configuration/configuration.hpp"
#include "server/configuration/sites.hpp"

namespace {

void check(bool condition)
{
    if (!condition) std::abort();
}

void check_site(const server::static_rules& rules)
{
    const server::route_table table(rules.routes);
    for (const server::route& r : rules.routes) {
        check(server::kind_of(r.path).has_value());
        if (r.path.contains('*') || !r.acts()) continue;
        // The route that matches must be the first with its path, or an earlier one.
        const auto met = table.match(r.path);
        check(met.acting.has_value());
        check(*met.acting <= static_cast<server::route_number>(&r - rules.routes.data()));
        if (const auto* to = std::get_if<server::redirect>(&r.then)) {
            const std::string where = server::fill_in(to->to, "/evil.example", ".evil.example", "");
            check(!where.starts_with("//"));
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto read = server::read_configuration(text, "c.toml", {});
    if (!read) {
        check(!read.error().empty());
        return 0;
    }
    check_site(read->files);
    for (const server::site& s : read->sites) {
        check(!s.names.empty() || s.is_default);
        check_site(s.files);
    }
    const server::site_table names(read->sites);
    for (const server::site& s : read->sites) {
        for (const std::string& name : s.names) check(name.starts_with('*') || names.find(name).has_value());
    }
    return 0;
}
