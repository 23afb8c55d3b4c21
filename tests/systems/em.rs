//! Embloy, statements EM-1 to EM-19.
