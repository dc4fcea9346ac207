from everloop.sys cimport traceless
