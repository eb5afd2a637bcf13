#include <athena/http/client.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <curl/curl.h>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <athena/base/event.h>
#include <athena/base/text.h>

namespace athena::http {
namespace {

constexpr std::size_t kMaxTransfers = 1'024;
constexpr std::size_t kMaxHeaders = 200, kMaxHeaderBytes = 64 * 1024;
constexpr long kMaxConnections = 256, kKeptConnections = 64;

struct EasyDeleter {
  void operator()(CURL* easy) const noexcept { curl_easy_cleanup(easy); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, EasyDeleter>;
using List = std::unique_ptr<curl_slist, ListDeleter>;

bool append(List& list, const std::string& text) {
  curl_slist* longer = curl_slist_append(list.get(), text.c_str());
  if (!longer) return false;
  (void)list.release();  // the new head owns it
  list.reset(longer);
  return true;
}

/// One request on its way. Lives in the frame of the coroutine that waits for it.
struct Transfer {
  ClientRequest request;
  ClientResponse response;
  std::size_t header_bytes = 0;
  int leaves = 0;  ///< how often the request began to be sent
  bool too_large = false;
  bool abandoned = false;  ///< cancelled, or the client is going
  CURLcode outcome = CURLE_OK;
  char reason[CURL_ERROR_SIZE] = "";
  Event done;
  List headers, address;
  Easy easy;  ///< goes first: it points to the others
};

std::size_t on_body(char* bytes, std::size_t, std::size_t size, void* data) {
  Transfer& transfer = *static_cast<Transfer*>(data);
  if (size > transfer.request.max_body_bytes - transfer.response.body.size()) {
    transfer.too_large = true;
    return 0;
  }
  transfer.response.body.append(bytes, size);
  return size;
}

std::size_t on_header(char* bytes, std::size_t, std::size_t size, void* data) {
  Transfer& transfer = *static_cast<Transfer*>(data);
  const std::string_view line(bytes, size);
  auto& headers = transfer.response.headers;
  if (line.starts_with("HTTP/")) {  // the answer after a 100 Continue begins anew
    headers.clear();
    return size;
  }
  transfer.header_bytes += size;
  if (headers.size() == kMaxHeaders || transfer.header_bytes > kMaxHeaderBytes) {
    transfer.too_large = true;
    return 0;
  }
  const std::size_t colon = line.find(':');
  if (colon != std::string_view::npos) {
    headers.emplace_back(text::to_lower(line.substr(0, colon)), text::trim(line.substr(colon + 1)));
  }
  return size;
}

/// A connection is there, and the request is about to leave; for the second time if a kept connection was dead.
int on_request(void* data, char*, char*, int, int) {
  Transfer& transfer = *static_cast<Transfer*>(data);
  if (transfer.leaves++ > 0 && !transfer.request.may_repeat) return CURL_PREREQFUNC_ABORT;
  if (transfer.request.sent) *transfer.request.sent = true;
  return CURL_PREREQFUNC_OK;
}

/// "host:port:address" → "::address:", which makes curl connect there whatever the URL says. Unlike a pinned name
/// it is part of what a kept connection is found by: one that went elsewhere is not reused.
std::string connect_to(std::string_view pinned) {
  std::size_t port = pinned.starts_with('[') ? pinned.find(']') : 0;
  if (port != std::string_view::npos) port = pinned.find(':', port);
  const std::size_t address = port == std::string_view::npos ? port : pinned.find(':', port + 1);
  if (address == std::string_view::npos || address + 1 == pinned.size()) return "";
  std::string host(pinned.substr(address + 1));
  if (host.find(',') != std::string::npos) return "";
  if (host.find(':') != std::string::npos && host[0] != '[') host = "[" + host + "]";
  return "::" + host + ":";
}

constexpr bool is_letter(char c) noexcept {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-';
}

template <class Value>
bool set(CURL* easy, CURLoption option, Value value) {
  return curl_easy_setopt(easy, option, value) == CURLE_OK;
}

/// curl takes 0 for its own default.
long at_least_one(std::int64_t value) noexcept {
  return static_cast<long>(std::max<std::int64_t>(1, value));
}

/// False if an option was refused: a request that is not exactly what was asked for is not sent.
bool prepare(Transfer& transfer) {
  transfer.easy.reset(curl_easy_init());
  CURL* easy = transfer.easy.get();
  if (!easy) return false;
  const ClientRequest& request = transfer.request;
  if (request.method.empty() || !std::ranges::all_of(request.method, is_letter)) return false;
  for (const auto& [name, value] : request.headers) {
    if ((name + value).find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) return false;
    // "Name:" would remove one of curl's own headers; "Name;" is how an empty one is sent.
    if (!append(transfer.headers, value.empty() ? name + ";" : name + ": " + value)) return false;
  }
  if (!append(transfer.headers, "Expect:")) return false;
  bool ok = set(easy, CURLOPT_URL, request.url.c_str()) && set(easy, CURLOPT_PROTOCOLS_STR, "http,https") &&
            set(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str()) && set(easy, CURLOPT_FOLLOWLOCATION, 0L) &&
            set(easy, CURLOPT_SSL_VERIFYPEER, 1L) && set(easy, CURLOPT_SSL_VERIFYHOST, 2L) &&
            set(easy, CURLOPT_PROXY, "") && set(easy, CURLOPT_NOSIGNAL, 1L) &&
            set(easy, CURLOPT_TIMEOUT_MS, at_least_one(request.timeout.count())) &&
            set(easy, CURLOPT_CONNECTTIMEOUT_MS, at_least_one(request.connect_timeout.count())) &&
            set(easy, CURLOPT_MAXAGE_CONN, at_least_one(request.idle_timeout.count() / 1'000)) &&
            set(easy, CURLOPT_HTTPHEADER, transfer.headers.get()) && set(easy, CURLOPT_ERRORBUFFER, transfer.reason) &&
            set(easy, CURLOPT_WRITEFUNCTION, on_body) && set(easy, CURLOPT_WRITEDATA, &transfer) &&
            set(easy, CURLOPT_HEADERFUNCTION, on_header) && set(easy, CURLOPT_HEADERDATA, &transfer) &&
            set(easy, CURLOPT_PREREQFUNCTION, on_request) && set(easy, CURLOPT_PREREQDATA, &transfer) &&
            set(easy, CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(request.max_body_bytes)) &&
            set(easy, CURLOPT_PRIVATE, &transfer);
  if (request.method == "HEAD") ok = ok && set(easy, CURLOPT_NOBODY, 1L);
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT" || request.method == "PATCH") {
    ok = ok && set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size())) &&
         set(easy, CURLOPT_POSTFIELDS, request.body.data());
  }
  if (!request.pinned_address.empty()) {
    const std::string address = connect_to(request.pinned_address);
    ok = ok && !address.empty() && append(transfer.address, address) &&
         set(easy, CURLOPT_CONNECT_TO, transfer.address.get());
  }
  return ok;
}

Error error_of(const Transfer& transfer) {
  const std::string reason = transfer.reason[0] ? transfer.reason : curl_easy_strerror(transfer.outcome);
  if (transfer.too_large || transfer.outcome == CURLE_FILESIZE_EXCEEDED) {
    return Error(Code::result_too_large, "The other server's answer is over the limit");
  }
  switch (static_cast<int>(transfer.outcome)) {  // curl has a hundred; those not named here are trouble on the way
    case CURLE_OPERATION_TIMEDOUT:
      return Error(Code::deadline_exceeded, "The other server did not answer in time").logged(reason);
    case CURLE_UNSUPPORTED_PROTOCOL:
      if (transfer.leaves > 0) break;  // the answer was no HTTP
      [[fallthrough]];
    case CURLE_URL_MALFORMAT:
      return Error(Code::configuration_error, "The address of the other server is not an http URL").logged(reason);
  }
  return Error(Code::database_unavailable, "The other server cannot be reached").logged(reason);
}

/// Lets curl wait for its sockets and its timer on our loop.
///
/// Shared by the client and the coroutines that wait: one that is woken because the client goes must still find it.
class Multi : public std::enable_shared_from_this<Multi> {
 public:
  explicit Multi(Loop& loop) : loop_(loop), multi_(curl_multi_init()), timer_(loop.executor()) {
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS, kMaxConnections);
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, kKeptConnections);
  }
  ~Multi() {
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, nullptr);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, nullptr);
    for (auto& [socket, watched] : sockets_) watched->descriptor.release();
    curl_multi_cleanup(multi_);
  }
  Multi(const Multi&) = delete;
  Multi& operator=(const Multi&) = delete;

  Result<> start(Transfer& transfer) {
    if (stopped_) return fail(Code::cancelled, "The client was closed");
    if (transfers_.size() >= kMaxTransfers) return fail(Code::overloaded, "Too many requests to other servers");
    if (!prepare(transfer)) return fail(Code::configuration_error, "The request to the other server is not valid");
    if (curl_multi_add_handle(multi_, transfer.easy.get()) != CURLM_OK) return fail(Code::internal_error);
    transfers_.insert(&transfer);
    return {};
  }
  /// Ends the transfer now, and wakes whoever waits for it.
  void abandon(Transfer& transfer) {
    transfer.abandoned = true;
    end(transfer);
  }
  void stop() {
    stopped_ = true;
    while (!transfers_.empty()) abandon(**transfers_.begin());
    timer_.cancel();
  }

 private:
  using Descriptor = asio::posix::basic_stream_descriptor<Executor>;
  /// A socket of curl's that it wants to be told about. Shared with the waits that are under way.
  struct Watched {
    Watched(Executor executor, int socket) : descriptor(executor, socket) {}
    Descriptor descriptor;
    int wanted = 0;  // CURL_POLL_IN, CURL_POLL_OUT
    bool waits_in = false, waits_out = false, gone = false;
  };

  static int on_socket(CURL*, curl_socket_t socket, int what, void* self, void*) noexcept {
    static_cast<Multi*>(self)->watch(socket, what);
    return 0;
  }
  static int on_timer(CURLM*, long timeout_ms, void* self) noexcept {
    static_cast<Multi*>(self)->set_timer(timeout_ms);
    return 0;
  }

  void watch(int socket, int what) {
    auto& watched = sockets_[socket];
    if (what == CURL_POLL_REMOVE) {
      if (watched) {
        watched->gone = true;
        watched->descriptor.release();  // curl closes its sockets itself
      }
      sockets_.erase(socket);
      return;
    }
    if (!watched) watched = std::make_shared<Watched>(loop_.executor(), socket);
    watched->wanted = what;
    wait(watched);
  }
  void wait(const std::shared_ptr<Watched>& watched) {
    if ((watched->wanted & CURL_POLL_IN) != 0 && !std::exchange(watched->waits_in, true)) {
      wait(watched, Descriptor::wait_read, watched->waits_in, CURL_CSELECT_IN);
    }
    if ((watched->wanted & CURL_POLL_OUT) != 0 && !std::exchange(watched->waits_out, true)) {
      wait(watched, Descriptor::wait_write, watched->waits_out, CURL_CSELECT_OUT);
    }
  }
  void wait(const std::shared_ptr<Watched>& watched, Descriptor::wait_type event, bool& waits, int happened) {
    watched->descriptor.async_wait(
        event, [weak = weak_from_this(), watched, &waits, happened](boost::system::error_code error) {
          waits = false;  // a member of `watched`
          const auto self = weak.lock();
          if (error || watched->gone || !self || self->stopped_) return;
          self->act(watched->descriptor.native_handle(), happened);
          if (!watched->gone) self->wait(watched);
        });
  }

  void set_timer(long timeout_ms) {
    timer_.cancel();
    if (timeout_ms < 0 || stopped_) return;
    timer_.expires_after(milliseconds(timeout_ms));
    timer_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
      const auto self = weak.lock();
      if (!error && self && !self->stopped_) self->act(CURL_SOCKET_TIMEOUT, 0);
    });
  }

  /// Lets curl work, then wakes those whose transfers ended, one by one: whom it wakes may start or abandon others.
  void act(curl_socket_t socket, int happened) {
    const auto keep = shared_from_this();
    int running = 0;
    curl_multi_socket_action(multi_, socket, happened, &running);
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      char* data = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &data);
      Transfer& transfer = *reinterpret_cast<Transfer*>(data);
      transfer.outcome = message->data.result;
      end(transfer);
    }
  }
  void end(Transfer& transfer) {
    curl_multi_remove_handle(multi_, transfer.easy.get());
    transfers_.erase(&transfer);
    transfer.done.set();
  }

  Loop& loop_;
  CURLM* const multi_;
  asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor> timer_;
  std::unordered_map<int, std::shared_ptr<Watched>> sockets_;
  std::unordered_set<Transfer*> transfers_;
  bool stopped_ = false;
};

Async<ClientResponse> send_on(std::shared_ptr<Multi> multi, ClientRequest request, Cancellation* cancellation) {
  if (cancellation && cancellation->cancelled()) co_return fail(Code::cancelled, "The request was cancelled");
  Transfer transfer;
  transfer.request = std::move(request);
  ATHENA_CO_TRY_VOID(multi->start(transfer));
  {
    const Cancellation::Watch watch(cancellation, [&] { multi->abandon(transfer); });
    co_await transfer.done.wait();
  }
  if (transfer.abandoned) co_return fail(Code::cancelled, "The request was cancelled");
  if (transfer.outcome != CURLE_OK) co_return fail(error_of(transfer));
  long status = 0;
  curl_easy_getinfo(transfer.easy.get(), CURLINFO_RESPONSE_CODE, &status);
  transfer.response.status = static_cast<int>(status);
  co_return std::move(transfer.response);
}

class CurlClient final : public Client {
 public:
  explicit CurlClient(Loop& loop) : multi_(std::make_shared<Multi>(loop)) {}
  ~CurlClient() override { multi_->stop(); }
  Async<ClientResponse> send(ClientRequest request, Cancellation* cancellation) override {
    return send_on(multi_, std::move(request), cancellation);
  }

 private:
  const std::shared_ptr<Multi> multi_;
};

}  // namespace

std::unique_ptr<Client> Client::create(Loop& loop) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);  // once for the process, whichever loop is first
  if (ready != CURLE_OK) std::abort();
  return std::make_unique<CurlClient>(loop);
}

}  // namespace athena::http
