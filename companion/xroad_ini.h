// SPDX-License-Identifier: MIT
// X-Road's own ini files, as X-Road reads them: in its load order (common, proxy and signer,
// addons, override-*, local, node), later ones winning. Called for the companion's settings and by
// the doctor. What X-Road reads without complaint is no failure here either; a directory that
// cannot be listed is one of class Io.
#pragma once

#include <string>

#include "base/ini.h"

namespace xs {

// `directory`: /etc/xroad.
Ini load_xroad_ini(const std::string& directory);

}  // namespace xs
