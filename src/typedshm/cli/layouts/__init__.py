"""Layouts: what lies where, as maps and pictures, and in which order it would take less."""
