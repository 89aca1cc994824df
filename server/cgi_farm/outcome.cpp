// SPDX-License-Identifier: MIT
#include "server/cgi_farm/outcome.hpp"

#include <utility>

namespace server {

using http::status;

program_end end_of(outcome o)
{
    switch (o) {
        case outcome::client_left:
            return program_end::client_left;
        case outcome::timed_out:
            return program_end::timed_out;
        case outcome::cut_short:
            return program_end::failed;
        default:
            return program_end::answered;
    }
}

program_end end_of(const refused& r)
{
    const bool is_failure = r.counts_as != program_end::failed || http::number(r.why.code) >= 500;
    return is_failure ? r.counts_as : program_end::answered;
}

refused refused_body(body_failure why)
{
    switch (why) {
        case body_failure::too_slow:
            return {.why = {status::request_timeout, "The body of the request did not arrive in time."}};
        case body_failure::malformed:
            return {.why = {status::bad_request, "The body of the request is malformed."}};
        case body_failure::too_large:
            return {.why = {status::content_too_large, "The body of the request is too large (body_bytes)."}};
        default:
            return {.why = {}, .counts_as = program_end::client_left};
    }
}

refused refused_as_late(std::string cause)
{
    return {.why = {status::gateway_timeout, "The program did not answer in time."},
            .cause = std::move(cause),
            .counts_as = program_end::timed_out};
}

refused refused_for_descriptors()
{
    return {.why = {status::service_unavailable, "The program cannot be started at the moment. Try again later."},
            .cause = "no file descriptor is left"};
}

refused refused_output(std::string cause)
{
    return {.why = {status::bad_gateway, "The program sent no valid response."}, .cause = std::move(cause)};
}

}  // namespace server
