#include <sys/utsname.h>

#include <cstdlib>
#include <thread>

#include <athena/base/buffer.h>
#include <athena/base/json_writer.h>

#include "commands.h"
#include "pretty_json.h"

namespace athena::app {

std::string version_text(bool as_json) {
  return as_json ? std::string("{\"version\": \"") + ATHENA_VERSION + "\"}\n" : std::string(ATHENA_VERSION) + "\n";
}

std::string diag_text() {
  utsname system{};
  ::uname(&system);
  std::string_view locale = "C";
  for (const char* name : {"LANG", "LC_CTYPE", "LC_ALL"}) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') locale = value;
  }
  Buffer out;
  json::Writer writer(out);
  writer.begin_object()
      .member("version", ATHENA_VERSION)
      .member("compiler", __VERSION__)
      .member("os", "linux")
      .member("family", "unix")
      .member("kernel", system.release)
      .member("arch", system.machine)
      .key("cpu_count")
      .integer(std::thread::hardware_concurrency())
      .member("hostname", system.nodename)
      .member("locale", locale)
      .end_object();
  return pretty_json(out.view());
}

}  // namespace athena::app
