"""The web page of `aufusion serve`: upload a video, watch progress, see and download its AUs."""
