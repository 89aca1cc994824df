// SPDX-License-Identifier: MIT
// The floor: the minimum that a single-threaded server must do for an answer. One fixed response, no parsing beyond the
// end of a request head, no files, no log, no deadlines. What another server costs above this is its own work.
//
// Two engines: epoll (edge-triggered, recv and send) and io_uring (multishot accept, multishot recv into provided
// buffers, send). Both send from memory, so for large answers they are the floor only for servers that copy: nginx with
// sendfile took 130-160 us for 1 MiB where this took 165-210.
//
// Deliberate limitations: `Connection: close` is found only if it arrives in the same piece as the end of its head; and
// of several requests in one piece the last one decides.

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <netinet/tcp.h>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <liburing.h>

namespace {

struct options {
    std::uint16_t port = 8080;
    std::size_t size = 8192;
    std::string io = "epoll";
};

int checked(int result, const char* what)
{
    if (result < 0) {
        std::perror(what);
        std::exit(1);
    }
    return result;
}

std::string make_response(std::size_t size, std::string_view connection)
{
    return fmt::format(
               "HTTP/1.1 200 OK\r\n"
               "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
               "Server: floor\r\n"
               "Content-Type: text/html; charset=utf-8\r\n"
               "Content-Length: {}\r\n"
               "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
               "ETag: \"6955b980-{:x}\"\r\n"
               "Accept-Ranges: bytes\r\n"
               "Connection: {}\r\n\r\n",
               size, size, connection) +
           std::string(size, 'x');
}

struct connection {
    std::uint32_t owed = 0;     // complete requests not yet answered in full
    std::uint32_t matched = 0;  // number of bytes of CRLFCRLF at the end of the received bytes
    std::size_t sent = 0;       // of the answer being sent
    bool closing = false;       // the client said Connection: close
    bool receiving = false;     // io_uring: its multishot recv is armed
    bool sending = false;       // io_uring: a send is under way
};

// The number of requests that `data` completes.
std::uint32_t count_requests(connection& c, std::string_view data)
{
    static constexpr std::string_view end = "\r\n\r\n";
    if (c.matched == 0 && data.find(end) + end.size() == data.size()) return 1;  // the common case
    std::uint32_t complete = 0;
    for (char byte : data) {
        if (byte == end[c.matched])
            ++c.matched;
        else
            c.matched = byte == '\r' ? 1 : 0;
        if (c.matched == end.size()) {
            ++complete;
            c.matched = 0;
        }
    }
    return complete;
}

void note_requests(connection& c, std::string_view data)
{
    std::uint32_t complete = count_requests(c, data);
    c.owed += complete;
    if (complete > 0 && data.find("Connection: close") != std::string_view::npos) c.closing = true;
}

int listen_on(std::uint16_t port, int flags)
{
    int listener = checked(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), "socket");
    int on = 1;
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

class floor_server {
  public:
    explicit floor_server(const options& o)
        : keep_alive_(make_response(o.size, "keep-alive")), close_(make_response(o.size, "close"))
    {
    }

  protected:
    const std::string& answer_for(const connection& c) const { return c.closing && c.owed == 1 ? close_ : keep_alive_; }

    connection& at(int fd)
    {
        auto index = static_cast<std::size_t>(fd);
        if (index >= connections_.size()) connections_.resize(2 * index + 64);
        return connections_[index];
    }

  private:
    std::string keep_alive_;
    std::string close_;
    std::vector<connection> connections_;
};

class epoll_server : floor_server {
  public:
    epoll_server(const options& o, const sigset_t& quit)
        : floor_server(o),
          poll_(checked(epoll_create1(EPOLL_CLOEXEC), "epoll")),
          listener_(listen_on(o.port, SOCK_NONBLOCK)),
          signals_(checked(signalfd(-1, &quit, SFD_CLOEXEC), "signalfd"))
    {
        watch(listener_, EPOLLIN);
        watch(signals_, EPOLLIN);
    }

    void run()
    {
        std::array<epoll_event, 256> events;
        for (;;) {
            int ready = epoll_wait(poll_, events.data(), static_cast<int>(events.size()), -1);
            for (int i = 0; i < ready; ++i) {
                const epoll_event& event = events[static_cast<std::size_t>(i)];
                int fd = event.data.fd;
                if (fd == signals_) return;
                if (fd == listener_)
                    accept_one();
                else
                    serve(fd, event.events);
            }
        }
    }

  private:
    void watch(int fd, std::uint32_t what)
    {
        epoll_event event{.events = what, .data = {.fd = fd}};
        checked(epoll_ctl(poll_, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
    }

    void accept_one()
    {
        int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;  // the client has left, or no descriptor is free
        at(fd) = connection{};
        watch(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
    }

    // ENSURES: fd is closed, or a recv or a send was short, so that epoll will report it again.
    void serve(int fd, std::uint32_t told)
    {
        connection& c = at(fd);
        if (!send_owed(fd, c)) return;
        for (;;) {
            ssize_t n = recv(fd, buffer_.data(), buffer_.size(), 0);
            if (n == 0 || (n < 0 && errno != EAGAIN)) {
                close(fd);
                return;
            }
            if (n < 0) return;
            note_requests(c, {buffer_.data(), static_cast<std::size_t>(n)});
            if (!send_owed(fd, c)) return;
            // A short recv has emptied the socket, but for a client's end that came before it.
            if (static_cast<std::size_t>(n) < buffer_.size() && !(told & EPOLLRDHUP)) return;
        }
    }

    // False if there is nothing more to read now: the connection is closed, or the answer waits for room.
    bool send_owed(int fd, connection& c)
    {
        while (c.owed > 0) {
            const std::string& answer = answer_for(c);
            ssize_t n = send(fd, answer.data() + c.sent, answer.size() - c.sent, MSG_NOSIGNAL);
            if (n < 0 && errno == EAGAIN) return false;
            if (n < 0) {
                close(fd);
                return false;
            }
            c.sent += static_cast<std::size_t>(n);
            if (c.sent < answer.size()) continue;
            c.sent = 0;
            --c.owed;
        }
        if (!c.closing) return true;
        close(fd);
        return false;
    }

    int poll_;
    int listener_;
    int signals_;
    std::array<char, 16384> buffer_;
};

class uring_server : floor_server {
  public:
    uring_server(const options& o, const sigset_t& quit)
        : floor_server(o),
          listener_(listen_on(o.port, 0)),
          signals_(checked(signalfd(-1, &quit, SFD_CLOEXEC), "signalfd")),
          memory_(buffer_bytes * buffer_count)
    {
        io_uring_params parameters{};
        parameters.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE;
        parameters.cq_entries = 8192;
        errno = -io_uring_queue_init_params(1024, &ring_, &parameters);
        checked(errno == 0 ? 0 : -1, "io_uring");
        provide_buffers();
    }

    void run()
    {
        start_accepting();
        io_uring_prep_poll_add(sqe(signals_, op::quit), signals_, POLLIN);
        for (;;) {
            io_uring_submit_and_wait(&ring_, 1);
            io_uring_cqe* cqe;
            unsigned head;
            unsigned seen = 0;
            io_uring_for_each_cqe(&ring_, head, cqe)
            {
                ++seen;
                if (!complete(*cqe)) return;
            }
            io_uring_cq_advance(&ring_, seen);
        }
    }

  private:
    enum class op : std::uint32_t { accept, recv, send, quit };
    static constexpr unsigned buffer_count = 256;  // a power of two
    static constexpr unsigned buffer_bytes = 2048;

    // liburing 2.3 has no io_uring_setup_buf_ring.
    void provide_buffers()
    {
        void* ring = mmap(nullptr, buffer_count * sizeof(io_uring_buf), PROT_READ | PROT_WRITE,
                          MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
        buffers_ = static_cast<io_uring_buf_ring*>(ring);
        io_uring_buf_ring_init(buffers_);
        io_uring_buf_reg registration{};
        registration.ring_addr = reinterpret_cast<std::uintptr_t>(ring);
        registration.ring_entries = buffer_count;
        errno = -io_uring_register_buf_ring(&ring_, &registration, 0);
        checked(errno == 0 ? 0 : -1, "provided buffers");
        for (unsigned id = 0; id < buffer_count; ++id) give_back(id, id);
        io_uring_buf_ring_advance(buffers_, buffer_count);
    }

    void give_back(unsigned id, unsigned place)
    {
        io_uring_buf_ring_add(buffers_, &memory_[buffer_bytes * id], buffer_bytes, static_cast<unsigned short>(id),
                              io_uring_buf_ring_mask(buffer_count), static_cast<int>(place));
    }

    io_uring_sqe* sqe(int fd, op operation)
    {
        io_uring_sqe* entry = io_uring_get_sqe(&ring_);
        if (entry == nullptr) {
            io_uring_submit(&ring_);
            entry = io_uring_get_sqe(&ring_);
        }
        io_uring_sqe_set_data64(entry, static_cast<std::uint64_t>(operation) << 32 | static_cast<std::uint32_t>(fd));
        return entry;
    }

    // False when it is time to quit.
    bool complete(const io_uring_cqe& cqe)
    {
        auto fd = static_cast<int>(cqe.user_data & 0xffffffff);
        switch (static_cast<op>(cqe.user_data >> 32)) {
            case op::accept:
                accepted(cqe);
                return true;
            case op::recv:
                received(fd, cqe);
                return true;
            case op::send:
                sent(fd, cqe.res);
                return true;
            case op::quit:
                break;
        }
        return false;
    }

    void start_accepting()
    {
        io_uring_prep_multishot_accept(sqe(listener_, op::accept), listener_, nullptr, nullptr, SOCK_CLOEXEC);
    }

    void accepted(const io_uring_cqe& cqe)
    {
        if (cqe.res >= 0) {
            at(cqe.res) = connection{};
            start_receiving(cqe.res);
        }
        if (!(cqe.flags & IORING_CQE_F_MORE)) start_accepting();
    }

    void start_receiving(int fd)
    {
        io_uring_sqe* entry = sqe(fd, op::recv);
        io_uring_prep_recv_multishot(entry, fd, nullptr, 0, 0);
        entry->flags |= IOSQE_BUFFER_SELECT;
        at(fd).receiving = true;
    }

    void received(int fd, const io_uring_cqe& cqe)
    {
        connection& c = at(fd);
        if (cqe.flags & IORING_CQE_F_BUFFER) {
            unsigned id = cqe.flags >> IORING_CQE_BUFFER_SHIFT;
            note_requests(c, {&memory_[buffer_bytes * id], static_cast<std::size_t>(cqe.res)});
            give_back(id, 0);
            io_uring_buf_ring_advance(buffers_, 1);
        }
        if (!(cqe.flags & IORING_CQE_F_MORE)) {
            c.receiving = false;
            if (cqe.res > 0 || cqe.res == -ENOBUFS) start_receiving(fd);
        }
        go_on(fd, c);
    }

    void sent(int fd, int result)
    {
        connection& c = at(fd);
        c.sending = false;
        if (result < 0) {
            c.owed = 0;
            c.closing = true;
        } else if ((c.sent += static_cast<std::size_t>(result)) == answer_for(c).size()) {
            c.sent = 0;
            --c.owed;
        }
        // Ends the multishot recv, which keeps the socket open; its last completion closes the socket.
        if (c.owed == 0 && c.closing) shutdown(fd, SHUT_RDWR);
        go_on(fd, c);
    }

    void go_on(int fd, connection& c)
    {
        if (c.sending) return;
        if (c.owed > 0) {
            const std::string& answer = answer_for(c);
            io_uring_prep_send(sqe(fd, op::send), fd, answer.data() + c.sent, answer.size() - c.sent,
                               MSG_NOSIGNAL | MSG_WAITALL);
            c.sending = true;
        } else if (!c.receiving) {
            close(fd);
        }
    }

    int listener_;
    int signals_;
    std::vector<char> memory_;
    io_uring ring_{};
    io_uring_buf_ring* buffers_ = nullptr;
};

}  // namespace

int main(int argc, char** argv)
{
    options o;
    CLI::App app{"The floor: one fixed answer to every request, and nothing else."};
    app.add_option("--port", o.port, "on 127.0.0.1");
    app.add_option("--size", o.size, "bytes of the body");
    app.add_option("--io", o.io)->check(CLI::IsMember({"epoll", "uring"}));
    CLI11_PARSE(app, argc, argv);

    sigset_t quit;
    sigemptyset(&quit);
    sigaddset(&quit, SIGTERM);
    sigaddset(&quit, SIGINT);
    sigprocmask(SIG_BLOCK, &quit, nullptr);

    if (o.io == "epoll")
        epoll_server(o, quit).run();
    else
        uring_server(o, quit).run();
}
