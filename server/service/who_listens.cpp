// SPDX-License-Identifier: MIT
#include "server/service/who_listens.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include <fmt/core.h>

namespace server {
namespace {

namespace fs = std::filesystem;

/// Adds the sockets that listen on `port`, as "socket:[INODE]". `table` is /proc/net/tcp or /proc/net/tcp6.
void add_listening_inodes(const char* table, std::uint16_t port, std::vector<std::string>& inodes)
{
    constexpr std::string_view listening = "0A";
    const std::string wanted = fmt::format(":{:04X}", port);
    std::ifstream file(table);
    std::string line;
    std::getline(file, line);  // skip the column names
    while (std::getline(file, line)) {
        std::istringstream words(line);
        std::string slot, local, remote, state, queues, timer, retransmits, user, timeout, inode;
        words >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> user >> timeout >> inode;
        if (state == listening && local.ends_with(wanted)) inodes.push_back(fmt::format("socket:[{}]", inode));
    }
}

bool holds_one_of(const fs::path& process, const std::vector<std::string>& inodes)
{
    std::error_code denied;
    for (const auto& fd : fs::directory_iterator(process / "fd", denied)) {
        const fs::path target = fs::read_symlink(fd.path(), denied);
        if (!denied && std::ranges::find(inodes, target.string()) != inodes.end()) return true;
    }
    return false;
}

}  // namespace

std::optional<std::string> who_listens(std::uint16_t port)
{
    std::vector<std::string> inodes;
    add_listening_inodes("/proc/net/tcp", port, inodes);
    add_listening_inodes("/proc/net/tcp6", port, inodes);
    if (inodes.empty()) return std::nullopt;

    std::error_code failed;
    for (const auto& process : fs::directory_iterator("/proc", failed)) {
        const std::string number = process.path().filename();
        if (!std::ranges::all_of(number, [](char c) { return c >= '0' && c <= '9'; })) continue;
        if (!holds_one_of(process.path(), inodes)) continue;
        std::string name = "a program";
        std::ifstream(process.path() / "comm") >> name;
        return fmt::format("{} (process {})", name, number);
    }
    return std::nullopt;
}

}  // namespace server
