// SPDX-License-Identifier: MIT
// The floor of CGI: the minimum that a server must do to answer by a program. For each request it makes two pipes,
// starts the program with posix_spawn, reads until the pipes end, waits for it, and sends a status line and the output.
// It does so for one request at a time, so on one core nothing else runs meanwhile; it has no parser, no log, no limits
// and no deadlines. What another server costs above this is its own work.

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <spawn.h>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

namespace {

int checked(int result, const char* what)
{
    if (result < 0) {
        std::perror(what);
        std::exit(1);
    }
    return result;
}

// As many variables as a usual request has; they are the same for each.
std::array<const char*, 23> environment = {"GATEWAY_INTERFACE=CGI/1.1",
                                           "SERVER_PROTOCOL=HTTP/1.1",
                                           "SERVER_SOFTWARE=floor",
                                           "REQUEST_METHOD=GET",
                                           "SCRIPT_NAME=/cgi-bin/hello",
                                           "QUERY_STRING=",
                                           "SCRIPT_FILENAME=/cgi-bin/hello",
                                           "DOCUMENT_ROOT=/srv/www",
                                           "REQUEST_URI=/cgi-bin/hello",
                                           "REQUEST_SCHEME=http",
                                           "SERVER_NAME=127.0.0.1",
                                           "SERVER_ADDR=127.0.0.1",
                                           "SERVER_PORT=8080",
                                           "REMOTE_ADDR=127.0.0.1",
                                           "REMOTE_PORT=40000",
                                           "REDIRECT_STATUS=200",
                                           "HTTP_HOST=127.0.0.1:8080",
                                           "HTTP_USER_AGENT=load",
                                           "HTTP_ACCEPT=*/*",
                                           "UNIQUE_ID=0123456789",
                                           "PATH=/usr/bin:/bin",
                                           "PATH_TRANSLATED=/srv/www/",
                                           nullptr};

int listen_on(std::uint16_t port)
{
    const int listener = checked(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    const int on = 1;
    checked(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), "SO_REUSEADDR");
    checked(setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");  // inherited by accept
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    checked(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), "bind");
    checked(listen(listener, SOMAXCONN), "listen");
    return listener;
}

struct ends {
    int reader = -1;
    int writer = -1;
};

ends make_pipe()
{
    std::array<int, 2> pipe{};
    checked(pipe2(pipe.data(), O_CLOEXEC), "pipe");
    return {.reader = pipe[0], .writer = pipe[1]};
}

class cgi_floor {
  public:
    cgi_floor(std::uint16_t port, std::string program)
        : program_(std::move(program)), listener_(listen_on(port)), poll_(epoll_create1(EPOLL_CLOEXEC))
    {
        watch(listener_);
    }

    void run()
    {
        for (;;) {
            epoll_event event{};
            if (epoll_wait(poll_, &event, 1, -1) != 1) continue;
            if (event.data.fd == listener_)
                watch(checked(accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC), "accept"));
            else
                answer(event.data.fd);
        }
    }

  private:
    void watch(int fd) const
    {
        epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
        checked(epoll_ctl(poll_, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
    }

    // Every request arrives in one piece.
    void answer(int client)
    {
        const ssize_t got = recv(client, buffer_.data(), buffer_.size(), 0);
        if (got <= 0) {
            close(client);
            return;
        }
        output_ = "HTTP/1.1 200 OK\r\n";
        run_program();
        send(client, output_.data(), output_.size(), MSG_NOSIGNAL);
    }

    void run_program()
    {
        const ends output = make_pipe();
        const ends errors = make_pipe();
        const pid_t child = start(output.writer, errors.writer);
        close(output.writer);
        close(errors.writer);
        read_all(output.reader);
        read_all(errors.reader);
        checked(waitpid(child, nullptr, 0), "waitpid");
    }

    pid_t start(int output, int errors)
    {
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(&actions, output, 1);
        posix_spawn_file_actions_adddup2(&actions, errors, 2);
        std::array<char*, 2> words = {program_.data(), nullptr};
        pid_t child = 0;
        const int failed = posix_spawn(&child, program_.c_str(), &actions, nullptr, words.data(),
                                       const_cast<char* const*>(environment.data()));
        checked(-failed, "posix_spawn");
        posix_spawn_file_actions_destroy(&actions);
        return child;
    }

    void read_all(int pipe)
    {
        for (ssize_t got = 0; (got = read(pipe, buffer_.data(), buffer_.size())) > 0;)
            output_.append(buffer_.data(), static_cast<std::size_t>(got));
        close(pipe);
    }

    std::string program_;
    int listener_;
    int poll_;
    std::array<char, 65536> buffer_{};
    std::string output_;
};

}  // namespace

int main(int argc, char** argv)
{
    std::uint16_t port = 8080;
    std::string program;
    CLI::App app{"Answers every request by the output of a program, with the least work."};
    app.add_option("--port", port)->required();
    app.add_option("--program", program, "a CGI program that sends Content-Length")->required();
    CLI11_PARSE(app, argc, argv);
    std::signal(SIGPIPE, SIG_IGN);
    cgi_floor(port, program).run();
}
