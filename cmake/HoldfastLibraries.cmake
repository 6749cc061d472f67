# Third-party libraries that have no CMake package, as imported targets. The archives are linked, not the shared
# objects: the CNI plugin must be fully static, and there is one way to link each library.
function(holdfast_import_archive target archive header_dir)
  find_library(${target}_ARCHIVE NAMES ${archive} REQUIRED)
  add_library(${target} STATIC IMPORTED GLOBAL)
  set_target_properties(${target} PROPERTIES
    IMPORTED_LOCATION ${${target}_ARCHIVE}
    INTERFACE_INCLUDE_DIRECTORIES "${header_dir}"
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${header_dir}")
endfunction()

pkg_check_modules(LIBNL REQUIRED libnl-3.0 libnl-route-3.0)
list(GET LIBNL_INCLUDE_DIRS 0 libnl_include)
holdfast_import_archive(nl3 libnl-3.a ${libnl_include})
holdfast_import_archive(nl3_route libnl-route-3.a ${libnl_include})
target_link_libraries(nl3_route INTERFACE nl3)
target_link_libraries(nl3 INTERFACE Threads::Threads m)

# SHA-512 for names that upstream derives from it.
holdfast_import_archive(nettle libnettle.a /usr/include)
set_target_properties(nettle PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "" INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "")

# The headers stand in /usr/include, which must not be named: it has its place behind the compiler's own.
holdfast_import_archive(yaml_cpp libyaml-cpp.a /usr/include)
set_target_properties(yaml_cpp PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "" INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "")

# What is on a block device. As above, its headers stand in /usr/include.
holdfast_import_archive(blkid libblkid.a /usr/include)
set_target_properties(blkid PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "" INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "")

# LVM as a library. It has no archive, and its licence asks for a process of its own.
find_library(LVM2CMD_LIBRARY lvm2cmd REQUIRED)
add_library(lvm2cmd SHARED IMPORTED GLOBAL)
set_target_properties(lvm2cmd PROPERTIES IMPORTED_LOCATION ${LVM2CMD_LIBRARY})
