"""report.html in a real Chromium, as a person sees it. Skipped where there is no Chromium."""
