// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "csp/channel.hpp"
#include "csp/forking.hpp"
#include "csp/mobile.hpp"
#include "csp/process.hpp"
#include "server/configuration/log_target.hpp"
#include "server/messages/steward_line.hpp"
#include "server/messages/stop.hpp"

namespace server {

struct log_wanted {
    enum class kind : std::uint8_t { check, open };

    kind what = kind::open;
    std::string where;  // as in the configuration
    int stream = -1;    // for "-"
};
/// The open log, or nullopt after a check; or the reason for the failure, as a sentence.
using log_answer = std::expected<std::optional<log_destination>, std::string>;
static_assert(csp::mobile<log_wanted> && csp::mobile<log_answer>);

/// Has the steward open a log, or check that it can be opened. The file system may not answer for any length of time,
/// so this is a process of its own and the process that wants the log can stop waiting.
///
///   answer   log_answer   once
///
/// Client of: the steward; server to: config, which takes the answer or closes its end.
csp::process log_opener(log_wanted wanted, steward_line steward, csp::out<log_answer> answer);

/// The openers that were started and have not answered yet.
class log_openers {
  public:
    explicit log_openers(steward_line steward) : steward_(std::move(steward)) {}
    /// Starts an opener and waits for its answer, at most for patience_with_file_system and only until `ending` is
    /// closed.
    [[nodiscard]] csp::step<log_answer> ask(log_wanted wanted, csp::in<stop>& ending);
    /// Whether an opener may still hang; then only exiting the program ends it.
    [[nodiscard]] bool any_hangs() const { return !unanswered_.empty(); }

  private:
    struct one {
        std::string where;
        csp::in<log_answer> answers;
    };
    [[nodiscard]] csp::step<void> forget_answered();

    steward_line steward_;
    csp::forking openers_{csp::faults::contained};  // an opener that throws closes its end
    std::vector<one> unanswered_;
};

}  // namespace server
