"""The process that makes an earlier model of a project the one in use."""
