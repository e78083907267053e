"""STUB"""
def redirected(request, status, location):
    return None
