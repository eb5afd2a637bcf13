#pragma once

#include "config.h"

namespace athena::app {

/// Makes the folder (mode 0700) if it is not there. Error: configuration_error with the system's reason.
Result<> make_data_folder(const std::string& folder);

/// The embedded default: without any database in the configuration Athena brings one. Adds client `demo`, a file of
/// SQLite in the data folder that is filled on the first start, and an admin key (file admin.key, mode 0600) unless the
/// environment has one. Errors: configuration_error; what the driver says about the file.
Result<> add_embedded_default(Config& config);

/// Fills the database of `target` from demo.sql if it has no table yet, in one transaction.
Result<> fill_demo(const driver::Target& target);

/// The content of `file`, made with mode 0600 and a random key if it is not there.
Result<std::string> admin_key_file(const std::string& file);

}  // namespace athena::app
