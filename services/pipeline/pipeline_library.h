#pragma once

// The named pipelines of a server: what a submit's pipeline name is looked up in.
//
// Filled from the *.yaml (and *.yml) files of a folder, all or nothing: one bad file leaves the
// library as it was, so a reload can never lose a pipeline that works. Jobs keep the version they
// started with through their own pointer. Owned by the conductor and used on its loop's thread
// only.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/pipeline/pipeline.h"

namespace fermata {

class PipelineLibrary {
 public:
  // Replaces the content by the folder's files. Reads files: call it at start, or offloaded.
  // INVALID_ARGUMENT lists the errors of every bad file; NOT_FOUND when there is no such folder.
  absl::Status load(const std::string& folder, const StageCatalog* catalog);

  // ALREADY_EXISTS when the name is taken.
  absl::Status add(std::shared_ptr<const Pipeline> pipeline);

  // NOT_FOUND with a nearest-name hint.
  absl::StatusOr<std::shared_ptr<const Pipeline>> resolve(std::string_view name) const;

  // In the order of their names.
  std::vector<std::shared_ptr<const Pipeline>> list() const;

  size_t size() const { return pipelines_.size(); }

 private:
  std::map<std::string, std::shared_ptr<const Pipeline>, std::less<>> pipelines_;
};

}  // namespace fermata
