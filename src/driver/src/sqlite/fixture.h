#pragma once

#include <filesystem>
#include <string>

#include <unistd.h>

#include "backend_fixture.h"
#include "sqlite/backend.h"

namespace athena::driver::sqlite {

/// For tests: a database file in a folder of its own, and a backend on a loop that the test's thread drives.
class Fixture : public BackendFixture {
 protected:
  Fixture() {
    std::string folder = (std::filesystem::temp_directory_path() / "athena-sqlite-XXXXXX").string();
    folder_ = ::mkdtemp(folder.data());
    target_.kind = "sqlite";
    target_.database = (folder_ / "test.db").string();
    target_.create = true;
    open();
  }
  ~Fixture() override {
    close();
    std::filesystem::remove_all(folder_);
  }

  void open() {
    shared_ = share(target_);
    backend_ = sqlite::open(target_, shared_, {loop_, observer_});
  }

  std::filesystem::path folder_;
};

}  // namespace athena::driver::sqlite
