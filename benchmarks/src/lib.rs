//! Speed of the software device beside other engines that run the same network.
