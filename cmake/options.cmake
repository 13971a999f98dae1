# SPDX-License-Identifier: MIT
# xs_options: what every target of ours is compiled and linked with.
add_library(xs_options INTERFACE)
target_include_directories(xs_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(xs_options INTERFACE -Wall -Wextra -Wconversion -Wshadow)
if(XS_WERROR)
  target_compile_options(xs_options INTERFACE -Werror)
endif()

if(XS_SANITIZE)
  set(sanitize -fsanitize=${XS_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_options(xs_options INTERFACE ${sanitize})
  target_link_options(xs_options INTERFACE ${sanitize})
else()
  target_compile_options(xs_options INTERFACE
    -fstack-protector-strong -fstack-clash-protection -fcf-protection
    $<$<CONFIG:Release>:-U_FORTIFY_SOURCE> $<$<CONFIG:Release>:-D_FORTIFY_SOURCE=2>)
  target_link_options(xs_options INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
endif()
# What a program does not use it does not load: our static libraries name libssh and libcrypto, the server needs neither.
target_link_options(xs_options INTERFACE -Wl,--as-needed)
if(XS_FUZZ)
  target_compile_options(xs_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
