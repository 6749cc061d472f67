# Headers that are read once instead of in every source: half the time of building what is tested went there. The other presets read
# what each source includes, so `release` finds what a source of a program forgets to include, and clang-tidy what a test forgets.
option(HOLDFAST_PRECOMPILED "Precompile the headers of libraries that most sources use (clang only)" OFF)

# holdfast_precompile(NAME FOLDER header...): these and the common ones, for all targets of FOLDER and below that have no precompiled
# headers yet. These targets have the same options of the compiler; one that has others sets DISABLE_PRECOMPILE_HEADERS.
function(holdfast_precompile name folder)
  if(NOT HOLDFAST_PRECOMPILED)
    return()
  endif()
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/${name}.cpp CONTENT "")
  add_library(${name} OBJECT EXCLUDE_FROM_ALL ${PROJECT_BINARY_DIR}/${name}.cpp)
  target_link_libraries(${name} PRIVATE holdfast_options)
  # The compiler cache knows what the headers hold; by when they were written it would never find anything.
  target_compile_options(holdfast_options INTERFACE -Xclang -fno-pch-timestamp)
  target_precompile_headers(${name} PRIVATE
    <algorithm> <array> <atomic> <charconv> <chrono> <condition_variable> <deque> <filesystem> <fstream> <functional>
    <iostream> <iterator> <map> <memory> <mutex> <optional> <random> <set> <span> <sstream> <string> <string_view>
    <system_error> <thread> <unordered_map> <utility> <variant> <vector> <nlohmann/json.hpp> <tl/expected.hpp> ${ARGN})
  holdfast_reuse_headers(${name} ${folder})
endfunction()

function(holdfast_reuse_headers name folder)
  get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target ${targets})
    get_target_property(type ${target} TYPE)
    if(NOT target STREQUAL name AND type MATCHES "^(EXECUTABLE|(STATIC|OBJECT)_LIBRARY)$")
      target_precompile_headers(${target} REUSE_FROM ${name})
    endif()
  endforeach()
  get_property(folders DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
  foreach(inner ${folders})
    holdfast_reuse_headers(${name} ${inner})
  endforeach()
endfunction()
