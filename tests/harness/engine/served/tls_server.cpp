#include "tests/harness/engine/served/tls_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <mutex>
#include <stdexcept>
#include <string_view>
#include <thread>

#include "harness/base/descriptor.h"

namespace niah::served {
// Not in the namespace without a name, since members of TlsServer::State are of these types.
namespace owned {

template <auto kFree>
struct Freed {
  template <class Object>
  void operator()(Object* object) const {
    kFree(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using Connection = std::unique_ptr<SSL, Freed<SSL_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>>;
using Memory = std::unique_ptr<BIO, Freed<BIO_free>>;

}  // namespace owned

namespace {

constexpr std::string_view kAnswer =
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfine";

void require(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(std::string("the tests' TLS server cannot ") + what);
}

/// A certificate that its own key has signed.
owned::Certificate make_certificate(EVP_PKEY* key, const std::string& host, int days) {
  constexpr long kDay = 24L * 3600;
  owned::Certificate made(X509_new());
  X509_set_version(made.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -30 * kDay);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), days * kDay);
  X509_set_pubkey(made.get(), key);
  X509_NAME* const name = X509_get_subject_name(made.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(host.c_str()), -1, -1, 0);
  X509_set_issuer_name(made.get(), name);
  const owned::Extension hosts(
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, ("DNS:" + host).c_str()));
  require(X509_add_ext(made.get(), hosts.get(), -1) == 1, "name a host");
  require(X509_sign(made.get(), key, EVP_sha256()) != 0, "sign a certificate");
  return made;
}

Descriptor listen_somewhere() {
  Descriptor listening(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  require(::bind(listening.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
          "bind to a port");
  require(::listen(listening.get(), 16) == 0, "listen");
  return listening;
}

}  // namespace

struct TlsServer::State {
  owned::Key key{EVP_EC_gen("P-256")};
  owned::Certificate certificate;
  owned::Context context{SSL_CTX_new(TLS_server_method())};
  Descriptor listening = listen_somewhere();
  Descriptor ends{::eventfd(0, EFD_CLOEXEC)};  ///< readable once the server shuts down
  mutable std::mutex lock;
  std::string received;
  std::jthread serving;

  State(const std::string& host, int days) : certificate(make_certificate(key.get(), host, days)) {
    require(SSL_CTX_use_certificate(context.get(), certificate.get()) == 1, "use a certificate");
    require(SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1, "use a key");
  }

  void accept_all() {
    // A client may leave before it is told that the answer has ended.
    sigset_t broken_pipe;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
    for (;;) {
      pollfd polled[] = {{listening.get(), POLLIN, 0}, {ends.get(), POLLIN, 0}};
      ::poll(polled, 2, -1);
      if (polled[1].revents != 0) return;
      const Descriptor client(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (client.is_open()) serve(client.get());
    }
  }

  /// A client that says nothing for five seconds is left.
  void serve(int fd) {
    const timeval patience{5, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const owned::Connection connection(SSL_new(context.get()));
    SSL_set_fd(connection.get(), fd);
    if (SSL_accept(connection.get()) != 1) return;
    char buffer[4096];
    const int got = SSL_read(connection.get(), buffer, sizeof buffer);
    if (got <= 0) return;
    {
      const std::lock_guard guard(lock);
      received.append(buffer, static_cast<std::size_t>(got));
    }
    SSL_write(connection.get(), kAnswer.data(), static_cast<int>(kAnswer.size()));
    SSL_shutdown(connection.get());
  }
};

TlsServer::TlsServer(const std::string& host, int days)
    : state_(std::make_unique<State>(host, days)) {
  state_->serving = std::jthread([this] { state_->accept_all(); });
}

TlsServer::~TlsServer() {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(state_->ends.get(), &one, sizeof one));
  state_->serving.join();
}

int TlsServer::port() const {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ::getsockname(state_->listening.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

std::string TlsServer::certificate() const {
  const owned::Memory memory(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(memory.get(), state_->certificate.get());
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

std::string TlsServer::received() const {
  const std::lock_guard guard(state_->lock);
  return state_->received;
}

}  // namespace niah::served
