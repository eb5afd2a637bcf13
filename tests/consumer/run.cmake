# Builds, installs and uses the driver, each step in an own folder below WORK.
include(${CMAKE_CURRENT_LIST_DIR}/steps.cmake)

file(REMOVE_RECURSE ${prefix} ${WORK}/toy)
step(${CMAKE_COMMAND} -S ${SOURCE} -B ${WORK}/driver ${common} -DATHENA_ONLY=driver -DATHENA_TESTS=OFF)
step(${CMAKE_COMMAND} --build ${WORK}/driver)
step(${CMAKE_COMMAND} --install ${WORK}/driver --prefix ${prefix})
step(${CMAKE_COMMAND} -S ${SOURCE}/tests/consumer/toy -B ${WORK}/toy ${common} -DCMAKE_PREFIX_PATH=${prefix})
step(${CMAKE_COMMAND} --build ${WORK}/toy)
step(${WORK}/toy/toy ${WORK}/toy/toy.db)
if(NOT output STREQUAL "2 Grace\n")
  message(FATAL_ERROR "the toy printed '${output}'")
endif()
