// SPDX-License-Identifier: MIT
// expect: A process owns what it is given
#include "csp/process.hpp"

class server {
  public:
    csp::process run()
    {
        ++runs_;
        co_return;
    }

  private:
    int runs_ = 0;
};

csp::process make(server& s) { return s.run(); }
