app_version = "1.28"
