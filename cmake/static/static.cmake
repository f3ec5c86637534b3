# SPDX-License-Identifier: MIT
# -DSOCKFLOW_STATIC=ON (`make static`): one file that needs nothing of the system it runs on but the
# kernel. Included before any package is looked for.
set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
set(OPENSSL_USE_STATIC_LIBS ON)
# An archive does not name the ones that it needs; the private requirements of pkg-config do.
set(PKG_CONFIG_ARGN --static)
# Debian's libcurl.a needs a dozen more libraries (Kerberos, LDAP, ...), not all of which have archives.
set(SOCKFLOW_KUBERNETES OFF)
# Otherwise CMake puts -Bdynamic behind the archives that it names by their path.
set(CMAKE_LINK_SEARCH_START_STATIC ON)
set(CMAKE_LINK_SEARCH_END_STATIC ON)
add_link_options(-static -s -Wl,--gc-sections)
# As the other builds but for -g, which would be stripped again.
set(CMAKE_C_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")

# CMake files of packages leave targets alone that are there already: here they are made before, for
# all directories. Debian has no archives of fmt and spdlog: those are made of its headers.
find_package(Threads REQUIRED)
foreach(package fmt spdlog)
  add_library(sockflow_${package} STATIC ${CMAKE_CURRENT_LIST_DIR}/${package}.cc)
  add_library(${package}::${package} ALIAS sockflow_${package})
endforeach()
target_compile_definitions(sockflow_spdlog PUBLIC SPDLOG_COMPILED_LIB SPDLOG_FMT_EXTERNAL)
target_link_libraries(sockflow_spdlog PUBLIC fmt::fmt Threads::Threads)
add_library(fmt::fmt-header-only INTERFACE IMPORTED)
add_library(spdlog::spdlog_header_only INTERFACE IMPORTED)

# The others have archives, beside the shared libraries that the CMake files name.
set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)
find_package(absl REQUIRED)
find_package(yaml-cpp REQUIRED)
get_property(targets DIRECTORY PROPERTY IMPORTED_TARGETS)
foreach(target IN LISTS targets)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "SHARED_LIBRARY")
    get_target_property(library ${target} LOCATION)
    string(REGEX REPLACE "\\.so[.0-9]*$" ".a" archive "${library}")
    if(NOT EXISTS "${archive}")
      message(FATAL_ERROR "SOCKFLOW_STATIC needs ${archive}, which is missing beside ${library}")
    endif()
    set_target_properties(${target} PROPERTIES IMPORTED_LOCATION_NONE "${archive}")
  endif()
endforeach()

# Into the program itself: nobody asks an archive for it.
cmake_language(DEFER CALL target_sources sockflow
               PRIVATE ${PROJECT_SOURCE_DIR}/cmake/static/no_libraries.cc)
