#pragma once

#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/base/flags.h"
#include "common/cloud/credentials.h"
#include "common/cloud/http_client.h"

namespace holdfast::cloud {

/// Which cloud a program calls, and as whom.
struct CloudOptions {
  std::string region = {};  ///< "cn-beijing"; empty: none
  std::string endpoint =
      {};  ///< "https://nas-vpc.cn-beijing.aliyuncs.com"; empty: the product's of the region
  std::string credentials = {};  ///< a file, a folder, "role" or "role:NAME"; empty: the machine's role
};

/// --cloud-region, --cloud-endpoint, --cloud-credentials.
void add_cloud_flags(Flags& flags, CloudOptions& into);

/// Where the credentials come from that the options name. `files`, `http` and `clock` outlive it.
[[nodiscard]] std::unique_ptr<CredentialSource> make_credentials(const CloudOptions& options, Vendor vendor,
                                                                 Files& files, HttpClient& http,
                                                                 Clock& clock);

}  // namespace holdfast::cloud
