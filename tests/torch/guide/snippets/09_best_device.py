def get_best_device():
    """Get the best available device with comprehensive error handling"""
    # Try the most comprehensive approach first
    try:
        # First check if the advanced hardware detection file exists
        import os.path
        advanced_detector_path = os.path.join(os.path.dirname(__file__), "hardware_detection.py")
        
        if os.path.exists(advanced_detector_path):
            try:
                # Try to import and use comprehensive hardware detection
                from rpgen.hardware_detection import detect_hardware_with_comprehensive_checks
                
                # Get detailed hardware information
                hardware_info = detect_hardware_with_comprehensive_checks()
                if "torch_device" in hardware_info:
                    logger.info(f"Using comprehensive hardware detection: {hardware_info['torch_device']}")
                    return hardware_info["torch_device"]
            except ImportError as e:
                logger.warning(f"Comprehensive hardware detection not available: {e}")
            except Exception as e:
                logger.warning(f"Error during comprehensive hardware detection: {e}")
        
        # Fall back to standard hardware detection
        try:
            if os.path.exists(advanced_detector_path):
                from rpgen.hardware_detection import detect_available_hardware
                hardware_info = detect_available_hardware()
                if "torch_device" in hardware_info:
                    logger.info(f"Using standard hardware detection: {hardware_info['torch_device']}")
                    return hardware_info["torch_device"]
        except ImportError as e:
            logger.warning(f"Standard hardware detection not available: {e}")
        except Exception as e:
            logger.warning(f"Error during standard hardware detection: {e}")
        
        # Fall back to basic PyTorch detection
        try:
            import torch
            if torch.cuda.is_available():
                logger.info("Using basic CUDA detection: cuda")
                return "cuda"
            elif hasattr(torch.backends, "mps") and torch.backends.mps.is_available():
                logger.info("Using basic MPS detection: mps")
                return "mps"
        except ImportError as e:
            logger.warning(f"PyTorch not available: {e}")
        except Exception as e:
            logger.warning(f"Error during basic PyTorch detection: {e}")
        
        # Ultimate fallback to CPU
        logger.info("Fallback to CPU")
        return "cpu"
    except Exception as e:
        # Handle any unexpected errors
        logger.error(f"Unexpected error in device detection: {e}")
        # Return the most conservative option
        return "cpu"
