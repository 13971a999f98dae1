# SPDX-License-Identifier: MIT
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(spdlog REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto SSL)
find_package(CLI11 REQUIRED)
find_package(pugixml REQUIRED)
find_package(nlohmann_json 3.9 REQUIRED)
pkg_check_modules(LIBMICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd)
pkg_check_modules(LIBPQ REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(LIBSSH REQUIRED IMPORTED_TARGET libssh>=0.9.6)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(FUSE3 IMPORTED_TARGET fuse3)  # only for tests/crash/power_cut.sh

# librsync ships neither a pkg-config file nor a CMake package.
find_path(LIBRSYNC_INCLUDE_DIR librsync.h REQUIRED)
find_library(LIBRSYNC_LIBRARY rsync REQUIRED)
add_library(librsync INTERFACE)
target_include_directories(librsync SYSTEM INTERFACE ${LIBRSYNC_INCLUDE_DIR})
target_link_libraries(librsync INTERFACE ${LIBRSYNC_LIBRARY})
