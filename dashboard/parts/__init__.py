"""The pieces that pages are set from; each tells the record what it set, so that every file that is taken away holds it too."""
