//! OCLC, statements OC-1 to OC-16.
