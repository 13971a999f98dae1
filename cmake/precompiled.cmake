# SPDX-License-Identifier: MIT
# With XS_PCH the standard library is parsed once for all targets. Only for the build that tests: the release build
# does without, so that a forgotten include is found.
if(NOT XS_PCH)
  return()
endif()

# One position-independent form, or the programs could not share it with the libraries.
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)
target_compile_options(xs_options INTERFACE -fPIC)

file(WRITE ${PROJECT_BINARY_DIR}/precompiled.cc "")
add_library(xs_precompiled OBJECT ${PROJECT_BINARY_DIR}/precompiled.cc)
target_link_libraries(xs_precompiled PRIVATE xs_options spdlog::spdlog)
target_precompile_headers(xs_precompiled PRIVATE
  <algorithm> <array> <atomic> <chrono> <cstdint> <cstdio> <cstring> <filesystem> <fstream> <functional> <map> <memory>
  <mutex> <optional> <set> <span> <sstream> <string> <string_view> <thread> <utility> <variant> <vector>)

# To be called when all targets of the directories are known.
function(xs_share_precompiled)
  foreach(directory IN LISTS ARGN)
    get_property(targets DIRECTORY ${directory} PROPERTY BUILDSYSTEM_TARGETS)
    get_property(below DIRECTORY ${directory} PROPERTY SUBDIRECTORIES)
    foreach(target IN LISTS targets)
      get_target_property(type ${target} TYPE)
      get_target_property(libraries ${target} LINK_LIBRARIES)
      if(type MATCHES "LIBRARY|EXECUTABLE" AND libraries)
        target_precompile_headers(${target} REUSE_FROM xs_precompiled)
      endif()
    endforeach()
    if(below)
      xs_share_precompiled(${below})
    endif()
  endforeach()
endfunction()
