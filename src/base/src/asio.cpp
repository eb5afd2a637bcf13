// Asio's compiled half, once for the program (BOOST_ASIO_SEPARATE_COMPILATION is set by this module's target).
#include <boost/asio/impl/src.hpp>
