// A client's metadata: whatever it holds, there is a target that names its place, none, or an error that says
// something. A secret that only a variable holds stands nowhere but behind the target's callback.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <athena/driver/backend.h>
#include <athena/driver/metadata.h>

namespace {

using namespace athena;

void check(bool holds) {
  if (!holds) std::abort();
}

constexpr std::string_view kSecret = "a-secret-of-the-environment";

void check_target(const driver::Target& target) {
  check(driver::find_backend_kind(target.kind) != nullptr);
  check(target.kind == "sqlite" ? !target.database.empty() : !target.host.empty());
  check(!target.masked().contains(kSecret));
  check(target.password != kSecret);
  if (target.secret) check(target.secret() == kSecret);
  if (target.kind == "d1") check(target.secret != nullptr && !target.binding.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (text.contains("secret-of")) return 0;  // the fuzzer has learned it, and may write it where it likes
  const auto document = json::Document::parse(text);
  if (!document) return 0;
  const auto secrets = [](const std::string& name) -> Result<std::string> {
    if (name.empty()) std::abort();
    return std::string(kSecret);
  };
  const auto target = driver::read_metadata(document->root(), secrets);
  if (!target) {
    check(target.error().code == Code::configuration_error && !target.error().error.empty());
    check(!target.error().error.contains(kSecret) && !target.error().hint.contains(kSecret));
    return 0;
  }
  if (*target) check_target(**target);
  // With a URI beside it, it may say less, and never another place.
  driver::Target beside;
  beside.kind = "postgresql";
  const auto confirmed = driver::read_metadata(document->root(), secrets, &beside);
  check(!confirmed || !*confirmed);
  return 0;
}
